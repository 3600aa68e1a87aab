// Package qmpfake is the simulator as a QMP server: it greets, reads requests,
// sends replies and events, and launches simulated machines in a world as a
// hypervisor launches processes.
//
// It is not the simulator: what a command does is sim's. Sockets of the host
// belong to its users.
//
// The property it keeps: a client sees on a connection what the real binary would
// write there, in that order.
package qmpfake
