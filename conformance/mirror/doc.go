// Package mirror holds the simulator against recorded sessions of the real QEMU: it
// repeats what the recorded client sent, at the recorded times, and compares every
// reply and every event.
//
// It is not the simulator's own test, which may look inside; here only messages
// count. What may differ is listed in normalise.go, each with its reason; what a
// recording cannot express, such as another program that changed a file, is listed
// in known.go; what it leaves open, such as what was in the images, is tried
// (unknown.go).
//
// The property it keeps: a session agrees only if each exchange does, or is left out
// by name with a reason that the report shows.
//
// A recording has one JSON object per line: {"dir":"C"|"S","msg":{…},"ms":N}, with
// "raw" instead of "msg" for bytes of a client that are no message, "mon" for a
// second monitor, and "note" for what happened outside just before the line. The
// note of the first greeting has QEMU's command line.
package mirror
