// Package socket serves a session of the simulator on real sockets, in the time of
// the wall clock: the simulated machine as a process that any QMP client can
// connect to.
//
// It is not a part of a world: it uses goroutines, locks of package sync, the wall
// clock and blocking reads. All of them end in one queue of inputs, which the
// goroutine of the world takes out; see docs/design/serve.md.
//
// The property it keeps: the world waits for no client. What a client does not
// read is bounded, and costs that client only.
package socket
