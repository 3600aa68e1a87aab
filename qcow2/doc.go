// Package qcow2 reads and writes QEMU's qcow2 images, version 3, with backing
// files, zero clusters and persistent dirty bitmaps, as bytes through io.ReaderAt
// and io.WriterAt.
//
// It is not a block layer: no locking, no caching policy, no snapshots of the
// format's own, no encryption. What it cannot interpret it refuses.
//
// The property it keeps: a hostile image gives an error, never a panic, an
// endless loop or memory out of proportion to the file.
package qcow2
