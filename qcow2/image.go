package qcow2

import "math/bits"

// Image is a whole image, to be written.
type Image struct {
	Size          int64 // virtual size, bytes, a multiple of 512
	ClusterBits   uint  // log2 of the cluster size, 9 … 21; 0 is 16 (64 KiB)
	BackingFile   string
	BackingFormat string // only with BackingFile
	// DataFile is the name of another file, which has the content of the disk, and DataTo
	// that file, which is replaced: Data goes where the guest has it. DataFileRaw says that the file alone,
	// read as a raw image, is the disk; what the runs do not say must be zero in it.
	DataFile    string
	DataTo      File
	DataFileRaw bool
	// Runs are what the image has of its own: sorted, without overlaps. The rest
	// of the disk is unallocated.
	Runs    []Run
	Bitmaps []Bitmap // in the order of the directory
}

// Run is a range of whole clusters that is Data or Zero.
type Run struct {
	// Offset is a multiple of the cluster size, Length as well unless the run
	// ends with the disk.
	Offset, Length int64
	Kind           Kind
	// Data is the content of a Data run. It may be shorter than the run: the
	// rest is stored zeros. Write passes it on as it is, without a copy.
	Data []byte
	// Compressed asks for the clusters of a Data run to be deflated. One that does not
	// become smaller is stored as it is, as qemu-img does it.
	Compressed bool
}

// End is the first byte after the run.
func (r Run) End() int64 { return r.Offset + r.Length }

// Bitmap is a persistent dirty bitmap. The names of its flags are those of
// qemu-img info.
type Bitmap struct {
	Name        string // 1 … 1023 bytes, unique in the image
	Granularity int64  // bytes, a power of two, 512 … 2 GiB
	Auto        bool   // enabled: records writes whenever the image is open
	InUse       bool   // not closed cleanly: its bits must not be believed
	// Dirty is sorted and within the disk. Written are all granules that it
	// touches; read are whole granules, cut at the end of the disk.
	Dirty []Range
}

func (img *Image) clusterBits() uint {
	if img.ClusterBits == 0 {
		return ClusterBitsDefault
	}
	return img.ClusterBits
}

// check refuses an image that the format, or QEMU, could not have.
func (img *Image) check() error {
	cb := img.clusterBits()
	if cb < ClusterBitsMin || cb > ClusterBitsMax {
		return badArgument("ClusterBits", int64(cb), "not 9 … 21")
	}
	if img.Size < 0 || img.Size%SectorSize != 0 {
		return badArgument("Size", img.Size, "not a multiple of 512")
	}
	if span := int64(1) << (2*cb - 3); ceilDiv(img.Size, span) > L1BytesMax/8 {
		return badArgument("Size", img.Size, "too large for clusters of this size: L1 would be more than 32 MiB")
	}
	if len(img.BackingFile) > BackingFileBytesMax {
		return badArgument("BackingFile", int64(len(img.BackingFile)), "longer than 1023 bytes")
	}
	if len(img.BackingFormat) > BackingFormatBytesMax {
		return badArgument("BackingFormat", int64(len(img.BackingFormat)), "longer than 15 bytes")
	}
	if img.BackingFormat != "" && img.BackingFile == "" {
		return badArgument("BackingFormat", 0, "without BackingFile")
	}
	if err := img.checkDataFile(); err != nil {
		return err
	}
	if err := img.checkRuns(); err != nil {
		return err
	}
	return img.checkBitmaps()
}

func (img *Image) checkDataFile() error {
	switch {
	case (img.DataFile == "") != (img.DataTo == nil):
		return badArgument("DataFile", int64(len(img.DataFile)), "a name without a file, or a file without a name")
	case img.DataFileRaw && img.DataFile == "":
		return badArgument("DataFileRaw", 0, "without DataFile")
	case img.DataFileRaw && img.BackingFile != "":
		return badArgument("DataFileRaw", 0, "with BackingFile")
	}
	return nil
}

func (img *Image) checkRuns() error {
	mask := int64(1)<<img.clusterBits() - 1
	end := int64(0)
	for i := range img.Runs {
		r := &img.Runs[i]
		switch {
		case r.Kind != Data && r.Kind != Zero:
			return badArgument("Runs.Kind", int64(r.Kind), "neither Data nor Zero")
		case r.Offset < end || r.Offset&mask != 0:
			return badArgument("Runs.Offset", r.Offset, "not a cluster after the run before")
		case r.Length <= 0 || r.Length > img.Size-r.Offset:
			return badArgument("Runs.Length", r.Length, "empty, or beyond the virtual size")
		case r.Length&mask != 0 && r.End() != img.Size:
			return badArgument("Runs.Length", r.Length, "not whole clusters")
		case int64(len(r.Data)) > r.Length || r.Kind == Zero && len(r.Data) > 0:
			return badArgument("Runs.Data", int64(len(r.Data)), "more bytes than the run holds")
		case r.Compressed && r.Kind != Data:
			return badArgument("Runs.Compressed", r.Offset, "not a run of Data")
		case r.Compressed && img.DataFile != "":
			return badArgument("Runs.Compressed", r.Offset, "with DataFile")
		}
		end = r.End()
	}
	return nil
}

func (img *Image) checkBitmaps() error {
	if len(img.Bitmaps) > BitmapsMax {
		return badArgument("Bitmaps", int64(len(img.Bitmaps)), "more than 65535")
	}
	for i := range img.Bitmaps {
		if err := img.checkBitmap(&img.Bitmaps[i]); err != nil {
			return err
		}
	}
	if i, twice := sameName(len(img.Bitmaps), func(i int) string { return img.Bitmaps[i].Name }); twice {
		return badArgument("Bitmaps.Name", int64(i), "used twice")
	}
	return nil
}

func (img *Image) checkBitmap(b *Bitmap) error {
	g := b.Granularity
	switch {
	case b.Name == "" || len(b.Name) > BitmapNameBytesMax:
		return badArgument("Bitmaps.Name", int64(len(b.Name)), "not 1 … 1023 bytes")
	case g < GranularityMin || g > GranularityMax || bits.OnesCount64(uint64(g)) != 1:
		return badArgument("Bitmaps.Granularity", g, "not a power of two from 512 to 2 GiB")
	case img.Size == 0:
		return badArgument("Bitmaps", 0, "a disk of size 0 has no bits to store")
	case ceilDiv(ceilDiv(img.Size, g), 8) > BitmapBytesMax:
		return badArgument("Bitmaps.Granularity", g, "the bitmap would take more than 512 MiB")
	}
	end := int64(0)
	for _, r := range b.Dirty {
		if r.Offset < end || r.Length <= 0 || r.Length > img.Size-r.Offset {
			return badArgument("Bitmaps.Dirty", r.Offset, "not sorted, empty, or beyond the virtual size")
		}
		end = r.End()
	}
	return nil
}

// sameName finds a name that came before, if there is one.
func sameName(n int, name func(i int) string) (i int, twice bool) {
	const few = 16 // names that are compared with each other
	if n <= few {
		for i := 1; i < n; i++ {
			for j := range i {
				if name(i) == name(j) {
					return i, true
				}
			}
		}
		return 0, false
	}
	seen := make(map[string]struct{}, n)
	for i := range n {
		if _, twice := seen[name(i)]; twice {
			return i, true
		}
		seen[name(i)] = struct{}{}
	}
	return 0, false
}
