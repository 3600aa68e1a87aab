package qcow2

import (
	"errors"
	"fmt"
	"io"
)

// source is the file below an image.
type source struct {
	r    io.ReaderAt
	size int64
}

// read fills p from off. Beyond the end of the file is zero, as for QEMU: it
// does not write out the end of its last cluster.
func (s source) read(p []byte, off int64, what string) error {
	have := min(max(s.size-off, 0), int64(len(p)))
	clear(p[have:])
	if have == 0 {
		return nil
	}
	n, err := s.r.ReadAt(p[:have], off)
	if int64(n) == have {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("qcow2: reading %d bytes of %s at offset %d: %w", have, what, off, err)
}

// readZero is ReadAt of a backing image or data file: beyond its end it reads as zero.
func readZero(r io.ReaderAt, p []byte, off int64, what string) error {
	n, err := r.ReadAt(p, off)
	if n < len(p) {
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("qcow2: reading the %s at offset %d: %w", what, off, err)
		}
		clear(p[n:])
	}
	return nil
}

// grow returns p with length n, from its own memory where that suffices.
func grow(p []byte, n int64) []byte {
	if int64(cap(p)) < n {
		return make([]byte, n)
	}
	return p[:n]
}
