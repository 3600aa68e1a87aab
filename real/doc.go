// Package real starts a real qemu-system-x86_64 and owns it: its process through a
// reaper that outlives nothing, its sockets in a private directory, its guest
// through qemu-io, its faults through a mount namespace and resource limits.
//
// It is not a driver: it renders a machine.Spec as a command line and leaves the
// driver's monitor alone. It lives outside of simulated worlds.
//
// The property it keeps: however the program ends, no QEMU and no directory of it
// stays behind; and a guest write is reported as done only when QEMU said so.
package real
