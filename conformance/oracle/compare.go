package oracle

import (
	"bytes"
	"fmt"
)

// Difference is where two images differ first.
type Difference struct {
	Offset int64
	A, B   byte // what is there; of sizes that differ, 0
	// SizeA and SizeB are the virtual sizes in bytes.
	SizeA, SizeB int64
}

// String says what differs, for people.
func (d *Difference) String() string {
	if d.SizeA != d.SizeB {
		return fmt.Sprintf("the sizes differ: %d and %d bytes", d.SizeA, d.SizeB)
	}
	return fmt.Sprintf("the bytes at offset %d differ: %#02x and %#02x", d.Offset, d.A, d.B)
}

// compareChunk is how much of each image is read at a time, in bytes: small enough
// to stay in a processor's cache between reading and comparing.
const compareChunk = 256 << 10

// Compare finds the first byte in which two images differ, as a guest would see them:
// nil if there is none. What an image does not hold, and what it holds as zeroes,
// is zero; images of different sizes differ. Ranges that hold no data in either are
// not read. The error is that of an image.
func Compare(a, b Image) (*Difference, error) {
	if a.Size() != b.Size() {
		return &Difference{Offset: min(a.Size(), b.Size()), SizeA: a.Size(), SizeB: b.Size()}, nil
	}
	return CompareRange(a, b, 0, a.Size())
}

// CompareRange is Compare for the bytes from off up to end, which both images have.
func CompareRange(a, b Image, off, end int64) (*Difference, error) {
	c := comparison{
		a: side{Image: a, buffer: make([]byte, compareChunk)}, b: side{Image: b, buffer: make([]byte, compareChunk)},
		end: end,
	}
	for off < end {
		n, d, err := c.step(off)
		if d != nil || err != nil {
			return d, err
		}
		off += n
	}
	return nil, nil
}

// comparison is the state of a Compare.
type comparison struct {
	a, b side
	end  int64
}

// side is one image and the extent that was asked for last.
type side struct {
	Image
	buffer []byte
	end    int64 // of the extent
	kind   Kind
}

// extent finds the kind of what begins at off.
func (s *side) extent(off int64) error {
	if off < s.end {
		return nil
	}
	length, kind, err := s.Next(off)
	if err == nil && length <= 0 {
		err = errEmptyExtent
	}
	s.end, s.kind = off+length, kind
	return err
}

// read is n bytes at off; nil stands for zeroes.
func (s *side) read(off, n int64) ([]byte, error) {
	if s.kind != Data {
		return nil, nil
	}
	p := s.buffer[:n]
	if got, err := s.ReadAt(p, off); got < len(p) {
		return nil, fmt.Errorf("read %d bytes at offset %d: %w", n, off, err)
	}
	return p, nil
}

// step compares what begins at off, and tells how much that was.
func (c *comparison) step(off int64) (n int64, d *Difference, err error) {
	if err := c.a.extent(off); err != nil {
		return 0, nil, err
	}
	if err := c.b.extent(off); err != nil {
		return 0, nil, err
	}
	n = min(c.a.end, c.b.end, c.end) - off
	if c.a.kind != Data && c.b.kind != Data {
		return n, nil, nil
	}
	n = min(n, compareChunk)
	p, err := c.a.read(off, n)
	if err != nil {
		return 0, nil, err
	}
	q, err := c.b.read(off, n)
	if err != nil {
		return 0, nil, err
	}
	return n, c.differ(off, p, q), nil
}

func (c *comparison) differ(off int64, p, q []byte) *Difference {
	switch {
	case p == nil:
		if allZero(q) {
			return nil
		}
		p = make([]byte, len(q))
	case q == nil:
		if allZero(p) {
			return nil
		}
		q = make([]byte, len(p))
	case bytes.Equal(p, q):
		return nil
	}
	for i := range p {
		if p[i] != q[i] {
			return &Difference{Offset: off + int64(i), A: p[i], B: q[i], SizeA: c.a.Size(), SizeB: c.b.Size()}
		}
	}
	return nil
}
