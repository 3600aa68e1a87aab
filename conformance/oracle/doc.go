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
// each write every other that was acknowledged before that one was issued. Then,
// and only then, there is one moment within the call, and one within each write's
// interval, that give this set: intervals on a line that meet in pairs have a
// point in common.
//
// Writes of the first kind are sure, of the second late, all others free. Of the
// sure writes that cover a place only those can show that no other sure one was
// issued after. A place that shows write w says: w is in; every free write there
// that was issued after w's acknowledgement is out. A place that reads as zero
// says: there is no sure write, and all free ones there are out. A clean granule
// says: no late write, and all free ones there are in. A place that an increment
// does not hold says: no write that surely came after the first instant and before
// the second, and all free ones there are out. So all evidence but one
// kind is a conjunction of ins and outs of free writes, and a legal cut exists
// exactly if no write is both, and no write that is out was acknowledged before
// one that is in was issued. A dirty granule says that some write to it is out;
// since that can only get easier when fewer writes are in, it is judged against
// the smallest cut.
//
// A failed write may have had an effect in any of its sectors or in none, then or
// at any time later: its absence says nothing, and it justifies a dirty granule.
//
// # Where it says too little
//
// It never refuses what could have been. It may accept what could not: a bitmap
// read while the guest wrote (Until) is judged with those writes free, and not
// against an image of that other instant; parts of sectors that fit several
// writers say nothing.
package oracle
