package qcow2

import (
	"bytes"
	"compress/flate"
	"io"
)

// inflater reads compressed clusters and keeps the last one.
type inflater struct {
	descriptor uint64 // of what is in out; 0 for none
	in, out    []byte
	from       bytes.Reader
	flate      io.ReadCloser
}

func (f *inflater) reset() { f.descriptor = 0 }

// compressedAt decodes a descriptor: where the deflate stream lies, and in how
// many bytes at most.
func compressedAt(h *Header, descriptor uint64) (offset, length int64) {
	x := 62 - (h.ClusterBits - 8)
	offset = int64(descriptor & (1<<x - 1))
	sectors := int64(descriptor&(1<<62-1)>>x) + 1
	return offset, sectors*512 - offset&511
}

// cluster returns the content of a compressed cluster. It is valid until the
// next call.
func (f *inflater) cluster(src source, h *Header, descriptor uint64) ([]byte, error) {
	if descriptor == f.descriptor {
		return f.out, nil
	}
	f.descriptor = 0
	offset, length := compressedAt(h, descriptor)
	if offset >= src.size {
		return nil, corrupt("compressed cluster descriptor", -1, descriptor, "beyond the end of the file")
	}
	f.in, f.out = grow(f.in, length), grow(f.out, h.ClusterSize())
	if err := src.read(f.in, offset, "a compressed cluster"); err != nil {
		return nil, err
	}
	f.from.Reset(f.in)
	if f.flate == nil {
		f.flate = flate.NewReader(&f.from)
	} else if err := f.flate.(flate.Resetter).Reset(&f.from, nil); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(f.flate, f.out); err != nil {
		return nil, corrupt("compressed cluster", offset, descriptor, "its deflate stream gives no whole cluster: "+err.Error())
	}
	f.descriptor = descriptor
	return f.out, nil
}
