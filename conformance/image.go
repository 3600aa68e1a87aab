package conformance

import (
	"cmp"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"fleece/conformance/oracle"
	"fleece/host"
	"fleece/qcow2"
)

// image is an image of this run as the oracle reads it.
type image interface {
	oracle.Image
	io.Closer
}

// openImage opens an image through the host seam, as a third program would.
func (t *T) openImage(path, format string) image {
	f, err := t.host.OpenFile(path, host.ReadOnly, 0)
	if err != nil {
		t.Fail("the image cannot be opened: %v", err)
	}
	size, err := f.Size()
	t.must(err, "ask for the size of "+path)
	if format == "raw" {
		return rawImage{File: f, size: size}
	}
	r := readers.Get().(*qcow2.Reader)
	if err := r.Reset(f, size, qcow2.Options{}); err != nil {
		t.Fail("image %s: %v", path, err)
	}
	q := qcowImage{Reader: r, File: f}
	if r.Header().ExternalData() {
		q.data, err = t.host.OpenFile(r.Header().DataFile, host.ReadOnly, 0)
		t.must(err, "open the data file of "+path)
		t.must(r.Reset(f, size, qcow2.Options{Data: q.data}), "read "+path)
	}
	return q
}

// readers keeps the memory of image readers between images. A reader holds no
// content over Reset, so worlds cannot see each other through it.
var readers = sync.Pool{New: func() any { return new(qcow2.Reader) }}

// qcowImage is a qcow2 image with the file below it.
type qcowImage struct {
	*qcow2.Reader
	host.File
	data host.File // nil: none
}

func (q qcowImage) Size() int64 { return q.Reader.Size() }

// Close gives the reader back; the image must not be used any more. The reader
// forgets the file, which would keep the whole world alive.
func (q qcowImage) Close() error {
	_ = q.Reset(strings.NewReader(""), 0, qcow2.Options{}) // an empty file is no image, which is the point
	readers.Put(q.Reader)
	if q.data != nil {
		closeQuietly(q.data)
	}
	return q.File.Close()
}

func (q qcowImage) ReadAt(p []byte, off int64) (int, error) { return q.Reader.ReadAt(p, off) }

// Next tells data from zero clusters and from what is not in the image.
func (q qcowImage) Next(off int64) (int64, oracle.Kind, error) {
	length, kind, err := q.Reader.Next(off)
	switch kind {
	case qcow2.Data:
		return length, oracle.Data, err
	case qcow2.Zero:
		return length, oracle.Zero, err
	}
	return length, oracle.Unallocated, err
}

// ClusterSize is the cluster size of a qcow2 image, in bytes.
func (t *T) ClusterSize(path string) int64 {
	img := t.openImage(path, "qcow2").(qcowImage)
	defer closeQuietly(img)
	return img.ClusterSize()
}

// createImage makes an empty qcow2 image.
func (t *T) createImage(path string, size, clusterSize int64) error {
	return t.writeImage(path, &qcow2.Image{Size: size, ClusterBits: uint(bits.TrailingZeros64(uint64(clusterSize)))})
}

// overlayClusterBits give an overlay clusters of 4 KiB, which a driver that formats it
// anew would not choose.
const overlayClusterBits = 12

// createOverlay makes an empty qcow2 image over another.
func (t *T) createOverlay(path, backing, format string, size int64) error {
	return t.writeImage(path, &qcow2.Image{Size: size, ClusterBits: overlayClusterBits, BackingFile: backing, BackingFormat: format})
}

func (t *T) writeImage(path string, image *qcow2.Image) error {
	f, err := t.host.OpenFile(path, host.ReadWrite|host.Create|host.Exclusive, 0o644)
	if err != nil {
		return err
	}
	if _, err := qcow2.Write(f, image); err != nil {
		return fmt.Errorf("image %s: %w", path, err)
	}
	return f.Close()
}

// checkImage asserts that an image's refcounts are without error and leak.
func (t *T) checkImage(path string) {
	f, err := t.host.OpenFile(path, host.ReadOnly, 0)
	t.must(err, "open "+path)
	defer closeQuietly(f)
	size, err := f.Size()
	t.must(err, "ask for the size of "+path)
	report, err := qcow2.Check(f, size)
	t.Expect(err).NotTo(haveOccurred(), "check %s", path)
	t.Expect(report.Errors).To(beEmpty(), "errors in the metadata of %s", path)
	t.Expect(report.Leaks).To(beEmpty(), "leaked clusters of %s", path)
}

// bitmaps reads the bitmaps of a checkpoint from the images of a domain that was
// powered off.
func (d *Domain) bitmaps(checkpoint string) []oracle.DiskBitmap {
	var found []oracle.DiskBitmap
	for _, k := range d.disks {
		if k.ReadOnly || k.NoMedium || k.Format != "qcow2" || contains(d.untracked, checkpoint+"/"+k.Target) {
			continue
		}
		found = append(found, d.diskBitmap(k, checkpoint))
	}
	return found
}

// diskBitmap is the bitmap of a checkpoint on one disk: what any image of the chain
// records (I11). It is in the active image, and in each below until it ends.
func (d *Domain) diskBitmap(k *disk, checkpoint string) oracle.DiskBitmap {
	whole := oracle.DiskBitmap{Disk: d.model(k.Target)}
	ended := false
	for i, l := range k.layers() {
		one, found := d.readBitmap(k.Target, l, checkpoint)
		switch {
		case !found && i == 0:
			d.t.Fail("checkpoint %s has no bitmap in the image of %s", checkpoint, k.Target)
		case found && ended:
			d.t.Fail("the bitmap of checkpoint %s ends above %s and is there again", checkpoint, l.Path)
		case !found:
			ended = true
		default:
			whole.Granularity = one.Granularity
			whole.Dirty = append(whole.Dirty, one.Dirty...)
		}
	}
	whole.Dirty = united(whole.Dirty)
	return whole
}

// united is the union of ranges, in order and without overlap.
func united(ranges []oracle.Range) []oracle.Range {
	slices.SortFunc(ranges, func(a, b oracle.Range) int { return cmp.Compare(a.Offset, b.Offset) })
	out := ranges[:0]
	for _, r := range ranges {
		if n := len(out); n > 0 && r.Offset <= out[n-1].Offset+out[n-1].Length {
			out[n-1].Length = max(out[n-1].Length, r.Offset+r.Length-out[n-1].Offset)
			continue
		}
		out = append(out, r)
	}
	return out
}

// readBitmap reads a bitmap of one image; found is false if that has none.
func (d *Domain) readBitmap(target string, l layer, name string) (b oracle.DiskBitmap, found bool) {
	if l.Format != "qcow2" {
		return b, false
	}
	img := d.t.openImage(l.Path, l.Format).(qcowImage)
	defer closeQuietly(img)
	infos, err := img.Bitmaps()
	d.t.Expect(err).NotTo(haveOccurred(), "bitmaps of %s", l.Path)
	for _, info := range infos {
		if info.Name != name {
			continue
		}
		d.t.Expect(info.Auto && !info.InUse).To(beTrue(), "bitmap %s of %s must be enabled and stored in order", name, target)
		ranges, err := img.ReadBitmap(info, nil)
		d.t.Expect(err).NotTo(haveOccurred(), "bitmap %s of %s", name, target)
		b.Granularity = info.Granularity
		for _, g := range ranges {
			b.Dirty = append(b.Dirty, oracle.Range{Offset: g.Offset, Length: g.Length})
		}
		return b, true
	}
	return b, false
}
