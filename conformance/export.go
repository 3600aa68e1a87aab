package conformance

import (
	"fmt"

	"fleece/conformance/oracle"
	"fleece/nbd"
)

// exportImage is an NBD export as the oracle reads it: every byte is read, whatever
// the extents say.
type exportImage struct {
	t *T
	c *nbd.Client
}

// Size is the size of the export, in bytes.
func (x *exportImage) Size() int64 { return x.c.Size() }

// ReadAt reads from the export.
func (x *exportImage) ReadAt(p []byte, off int64) (int, error) { return x.c.ReadAt(p, off) }

// exportRead is how much the oracle reads at a time, in bytes.
const exportRead = 256 << 10

// Next calls everything data.
func (x *exportImage) Next(off int64) (int64, oracle.Kind, error) {
	return min(exportRead, x.Size()-off), oracle.Data, nil
}

// status asks for the extents of the whole export in one context.
func (x *exportImage) status(context string) []nbd.Extent {
	var all []nbd.Extent
	for off := int64(0); off < x.Size(); {
		found, err := x.c.BlockStatus(off, uint32(min(x.Size()-off, 1<<30)), 0)
		x.t.Expect(err).NotTo(haveOccurred(), "block status at %d", off)
		at := off
		for _, c := range found {
			if c.Context == context {
				all = append(all, c.Extents...)
			}
		}
		if len(all) > 0 {
			off = all[len(all)-1].Offset + all[len(all)-1].Length
		}
		x.t.Expect(off > at).To(beTrue(), "the export has no extents of context %s", context)
	}
	return all
}

// checkExtents asserts that what the export calls zero reads as zero.
func (x *exportImage) checkExtents() {
	p := make([]byte, exportRead)
	for _, e := range x.status(nbd.NameBaseAllocation) {
		if e.State&nbd.StateZero == 0 {
			continue
		}
		for off := e.Offset; off < e.Offset+e.Length; off += exportRead {
			part := p[:min(exportRead, e.Offset+e.Length-off)]
			_, err := x.c.ReadAt(part, off)
			x.t.Expect(err).NotTo(haveOccurred(), "read the export")
			for i, b := range part {
				if b != 0 {
					x.t.Fail("the export calls offset %d zero, and reads %#x there", off+int64(i), b)
				}
			}
		}
	}
}

// dirty is the exported bitmap of that name.
func (x *exportImage) dirty(bitmap string) []oracle.Range {
	var all []oracle.Range
	for _, e := range x.status(nbd.PrefixDirtyBitmap + bitmap) {
		switch e.State {
		case 0:
		case 1:
			all = append(all, oracle.Range{Offset: e.Offset, Length: e.Length})
		default:
			x.t.Fail("the dirty bitmap has an extent of state %d: %s", e.State, fmt.Sprint(e))
		}
	}
	return all
}
