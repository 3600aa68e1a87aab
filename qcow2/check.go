package qcow2

import (
	"errors"
	"fmt"
	"io"
)

// Report is what Check found. The words are those of qemu-img check: an error
// can cost data, a leak only costs space.
type Report struct {
	Errors []Problem // at most ProblemsMax
	Leaks  []Problem // at most ProblemsMax
	// ErrorCount and LeakCount count beyond what is listed: problems, and
	// clusters that are leaked.
	ErrorCount, LeakCount int64
	// Clusters is the number of clusters of the guest's disk that have data.
	Clusters int64
	// ImageEnd is the first byte of the file after all that is in use.
	ImageEnd int64
}

// Clean reports whether there is neither an error nor a leak.
func (r *Report) Clean() bool { return r.ErrorCount == 0 && r.LeakCount == 0 }

// Problem is one fault, or several clusters with the same one.
type Problem struct {
	Offset, Length int64 // bytes of the file
	What           string
}

func (p Problem) String() string {
	return fmt.Sprintf("bytes %d to %d: %s", p.Offset, p.Offset+p.Length, p.What)
}

// Check looks at the consistency of the image in the first size bytes of r, with
// a Checker of its own; see Checker.Check.
func Check(r io.ReaderAt, size int64) (Report, error) { return new(Checker).Check(r, size) }

// Checker checks images and keeps its buffers between them. It is not for use by
// several tasks at once. The zero value is ready.
type Checker struct {
	src    source
	header Header
	report Report
	refs   references
	counts refcounts
	l1     []l1Entry
	list   []BitmapInfo
	buf    []byte
}

// Check compares the refcounts of the image with what the tables refer to, as
// qemu-img check does, and looks for structures that overlap and for entries
// that cannot be. An image whose header or bitmap directory is refused gives an
// *Error, as does one with internal snapshots (ErrUnsupported).
//
// One thing is stricter than qemu-img: two uses of one cluster are an error even
// when its refcount says 2, but for compressed clusters.
func (c *Checker) Check(r io.ReaderAt, size int64) (Report, error) {
	c.src, c.report = source{r, size}, Report{}
	err := c.run()
	c.src.r = nil
	if err != nil {
		return Report{}, err
	}
	return c.report, nil
}

func (c *Checker) run() (err error) {
	h := &c.header
	if c.buf, err = h.readHeader(c.src, c.buf); err != nil {
		return err
	}
	if h.Snapshots != 0 {
		return unsupported("nb_snapshots", 60, uint64(h.Snapshots), "internal snapshots are not followed")
	}
	c.refs.reset()
	c.use(0, h.ClusterSize(), useHeader)
	c.use(h.l1Offset, h.l1Entries*8, useL1)
	c.use(h.refTableOffset, h.refTableClusters<<h.ClusterBits, useRefTable)
	for _, step := range [...]func(*Checker) error{(*Checker).walkL1, (*Checker).walkBitmaps, (*Checker).walkRefTable} {
		if err := step(c); err != nil {
			return err
		}
	}
	return c.compare()
}

// fault notes an error.
func (c *Checker) fault(offset, length int64, what string) {
	if c.report.ErrorCount++; len(c.report.Errors) < ProblemsMax {
		c.report.Errors = append(c.report.Errors, Problem{offset, length, what})
	}
}

// leak notes clusters that are counted and not used.
func (c *Checker) leak(offset, length int64, what string) {
	c.report.LeakCount += length >> c.header.ClusterBits
	if len(c.report.Leaks) < ProblemsMax {
		c.report.Leaks = append(c.report.Leaks, Problem{offset, length, what})
	}
}

// note makes a fault of an error that is about one entry; others are returned.
func (c *Checker) note(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	c.fault(e.Offset, 8, e.Error())
	return nil
}

// use counts a reference to the clusters of a range of the file. A range that
// ends more than a cluster beyond the file is a fault, as qemu-img has it, and
// is not counted.
func (c *Checker) use(offset, length int64, what usage) {
	if length == 0 {
		return
	}
	if offset >= c.src.size || length-(c.src.size-offset) >= c.header.ClusterSize() {
		c.fault(offset, length, usageNames[what&^useCopied]+" is beyond the end of the file")
		return
	}
	first := offset >> c.header.ClusterBits
	last := (offset + length - 1) >> c.header.ClusterBits
	c.refs.add(first, last+1, what)
}
