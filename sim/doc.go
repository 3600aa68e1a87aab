// Package sim is QEMU 7.2 in memory: its block graph, dirty bitmaps,
// transactions and jobs, answering QMP commands over one runtime process and one
// host. Text of errors, order of events and the noise of drains are the real
// binary's, since that is what a driver trips over.
//
// It is not an emulator: there are no CPUs and no devices beyond a disk's
// backend, and guest writes are calls of the harness. Sockets and the protocol
// around a command belong to qmpfake.
//
// The property it keeps: what it answers is a pure function of the commands, the
// host's answers and the runtime's choices; cost follows the data that was
// written, never the size of a disk.
//
// An example:
//
//	m, err := sim.New(p, h, spec, sim.Options{})
//	mon := m.AddMonitor(send)
//	mon.Handle(qmp.Dict(qmp.M("execute", qmp.Str("qmp_capabilities"))))
//
// Comments cite recorded sessions as {30} and sections of the behaviour document
// as §5.6.
package sim
