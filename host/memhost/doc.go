// Package memhost is a deterministic host in memory: one kernel with its file
// systems, and one view of it for each process of a world. It has capacity
// (ENOSPC to the page), faults at the n-th matching operation, and crash
// clones that respect what was synced.
//
// It is not a complete POSIX file system: no links, no owners, no permission
// checks (everybody is root), no file locks.
//
// The property it keeps: what an operation does is a function of the
// operations before it. Each operation that changes something is one choice
// point of the world, before its effect, and atomic after that; an operation
// of a killed process has no effect.
//
// An example:
//
//	kernel := memhost.New(world.Kernel(), memhost.Options{})
//	err := kernel.Mount("/backup", 1<<20)
//	qemu := kernel.View(qemuProcess)
//	f, err := qemu.OpenFile("/backup/a.qcow2", host.ReadWrite|host.Create, 0o600)
package memhost
