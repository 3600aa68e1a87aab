package conformance

import (
	"fleece/conformance/oracle"
	"fleece/host"
)

// rawImage is a raw image: data where the host says so, zero elsewhere.
type rawImage struct {
	host.File
	size int64
}

func (r rawImage) Size() int64 { return r.size }

// Next tells data from holes.
func (r rawImage) Next(off int64) (int64, oracle.Kind, error) {
	e, ok, err := r.NextData(off)
	switch {
	case err != nil:
		return 0, 0, err
	case !ok:
		return r.size - off, oracle.Zero, nil
	case e.Offset > off:
		return e.Offset - off, oracle.Zero, nil
	}
	return e.Offset + e.Length - off, oracle.Data, nil
}

// rawIncrement is a raw image that was made of what changed since a checkpoint. It
// cannot tell what it holds, and what it does not hold reads as zero (I8). Guests
// of the harness never write zeroes, and a copied unit has a write in it, so a unit
// that is all zero is taken for one that is not in the image.
type rawIncrement struct{ image }

// Next reads the unit of a copy in which off is, and answers for what is left of it.
func (r rawIncrement) Next(off int64) (int64, oracle.Kind, error) {
	from := off - off%backupClusterMin
	p := make([]byte, min(backupClusterMin, r.Size()-from))
	if n, err := r.ReadAt(p, from); n < len(p) {
		return 0, 0, err
	}
	left := from + int64(len(p)) - off
	for _, c := range p {
		if c != 0 {
			return left, oracle.Data, nil
		}
	}
	return left, oracle.Unallocated, nil
}

// QcowFile makes an empty qcow2 image that must not be there yet.
func (t *T) QcowFile(path string, size, clusterSize int64) {
	t.must(t.createImage(path, size, clusterSize), "make "+path)
}

// RawFile makes an empty raw image that must not be there yet.
func (t *T) RawFile(path string, size int64) {
	f, err := t.host.OpenFile(path, host.ReadWrite|host.Create|host.Exclusive, 0o644)
	t.must(err, "make "+path)
	t.must(f.Truncate(size), "give a size to "+path)
	t.must(f.Close(), "close "+path)
}
