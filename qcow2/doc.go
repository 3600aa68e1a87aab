// Package qcow2 reads and writes QEMU's qcow2 images, version 3, with backing
// and data files, zero clusters and persistent dirty bitmaps, as bytes through io.ReaderAt
// and io.WriterAt.
//
// It is not a block layer: no locking, no writing in place, no caching policy,
// no snapshots of the format's own, no encryption. What it cannot interpret it
// refuses.
//
// The property it keeps: a hostile image gives an error, never a panic, an
// endless loop or memory out of proportion to the file. And what Write wrote,
// Open reads back equal and Check finds clean.
//
// # Usage
//
// An image is written whole, from memory of the caller:
//
//	size, err := qcow2.Write(file, &qcow2.Image{
//		Size:        16 << 20,
//		BackingFile: "/images/base.qcow2", BackingFormat: "qcow2",
//		Runs:        []qcow2.Run{{Offset: 65536, Length: 65536, Data: content}},
//		Bitmaps:     []qcow2.Bitmap{{Name: "cp1", Granularity: 65536, Auto: true}},
//	})
//
// and read by extents, without a look at the data until it is asked for:
//
//	r, err := qcow2.Open(file, size, qcow2.Options{})
//	for e, err := range r.Extents() {
//		// e.Kind is Data, Zero or Unallocated
//	}
//
// Field names in errors are those of QEMU's docs/interop/qcow2.txt, as are the
// numbers and layouts; limits that the format leaves open are QEMU's.
package qcow2
