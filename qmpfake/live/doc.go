// Package live is the simulated QEMU beside other programs: on goroutines, in the
// time of the wall clock, with image files, NBD server and monitors of the operating
// system. It is what fleece serve --dir runs.
//
// It cannot be recorded or repeated: what other programs do to the files is nobody's
// to decide. Package session, which can, keeps everything in memory.
//
// The property it keeps: the machine touches image files within its directory only,
// and when Run returns every goroutine and connection of the machine has ended.
package live
