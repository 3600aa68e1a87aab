// Package oracle judges the bytes of backups. It knows every guest write as an
// interval (issued … acknowledged), each sector stamped with disk, offset and
// sequence, and knows when a backup was asked for and when that call returned. A
// backup is right if one cut, the same for all disks and for the checkpoint's
// bitmaps, explains everything that is read.
//
// It is not a model of QEMU: it never sees a simulator's object, only bytes,
// extents and dirty granules that somebody read, and it knows nothing of how they
// came to be.
//
// The property it keeps: what it accepts could have been the state of all disks at
// one instant within the call; everything else is a Finding that names the first
// byte that cannot be explained and the writes that contradict each other.
//
//	h := oracle.New()
//	vda := h.AddDisk("vda", 4<<20)
//	w := vda.Issue(0, 65536) // hand w.Data() to the guest, then
//	w.Ack()
//	at := h.Begin()          // before BackupBegin is called
//	at.Returned()            // after it returned
//	finding, err := h.Check(at, oracle.Evidence{Images: []oracle.DiskImage{{Disk: vda, Image: image}}})
//
// # The argument
//
// A cut is a set of writes. It is legal if it contains every write that was
// acknowledged before the call, none that was issued after it returned, and with
// each write every other that was acknowledged before that one was issued. A
// sector that shows write w says: w is in; every write to the sector that was
// issued after w's acknowledgement is out. A sector that shows none says: all
// acknowledged writes to it are out. A clean granule says: all writes to it are
// in. So all evidence but one kind is a conjunction of ins and outs, and a legal
// cut exists exactly if no write is both, and no write that is out was
// acknowledged before one that is in was issued. A dirty granule says that some
// write to it is out; since that can only get easier when fewer writes are in, it
// is judged against the smallest cut.
package oracle
