package qcow2

import (
	"encoding/binary"
	"fmt"
	"io"
)

// File is what an image is written into. host.File and *os.File are Files.
type File interface {
	io.WriterAt
	Truncate(size int64) error
}

const (
	// streamGapMax is how many zeros are rather written than skipped.
	streamGapMax = 1 << 10
	// streamBytesMax is how much is collected before it is written.
	streamBytesMax = 64 << 10
)

// stream collects metadata in ascending order of offsets, and writes it in few
// pieces. What is skipped stays a hole. The first error stays.
type stream struct {
	to   io.WriterAt
	base int64 // offset of buf[0]
	buf  []byte
	err  error
}

// start begins a new file in the memory of the last one.
func (s *stream) start(to io.WriterAt) {
	*s = stream{to: to, buf: s.buf[:0]}
	if s.buf == nil {
		s.buf = make([]byte, 0, 1<<10)
	}
}

// end lets the file go.
func (s *stream) end() error {
	s.to = nil
	return s.err
}

// at moves to offset, which is not before what was put.
func (s *stream) at(offset int64) {
	gap := offset - s.base - int64(len(s.buf))
	if gap == 0 {
		return
	}
	if gap > streamGapMax || len(s.buf) == 0 {
		s.flush()
		s.base = offset
		return
	}
	s.buf = append(s.buf, zeros[:gap]...)
}

var zeros [streamGapMax]byte // never written to

func (s *stream) room() {
	if len(s.buf) >= streamBytesMax {
		s.flush()
	}
}

func (s *stream) put8(v byte) {
	s.room()
	s.buf = append(s.buf, v)
}

func (s *stream) put16(v uint16) { s.buf = binary.BigEndian.AppendUint16(s.buf, v) }
func (s *stream) put32(v uint32) { s.buf = binary.BigEndian.AppendUint32(s.buf, v) }

func (s *stream) put64(v uint64) {
	s.room()
	s.buf = binary.BigEndian.AppendUint64(s.buf, v)
}

func (s *stream) putText(t string) {
	s.room()
	s.buf = append(s.buf, t...)
}

// fill puts n bytes of one value.
func (s *stream) fill(v byte, n int64) {
	for n > 0 {
		s.room()
		some := min(n, streamBytesMax-int64(len(s.buf)))
		for range some {
			s.buf = append(s.buf, v)
		}
		n -= some
	}
}

func (s *stream) flush() {
	if len(s.buf) > 0 {
		s.write(s.buf, s.base)
	}
	s.base += int64(len(s.buf))
	s.buf = s.buf[:0]
}

// write passes p on as it is.
func (s *stream) write(p []byte, offset int64) {
	if s.err != nil {
		return
	}
	if n, err := s.to.WriteAt(p, offset); err != nil {
		s.err = fmt.Errorf("qcow2: writing %d bytes at offset %d: %w", len(p), offset, err)
	} else if n < len(p) {
		s.err = fmt.Errorf("qcow2: writing %d bytes at offset %d: %w", len(p), offset, io.ErrShortWrite)
	}
}
