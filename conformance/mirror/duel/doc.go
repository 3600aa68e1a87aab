// Package duel runs one random session on the simulator and on the real QEMU and
// compares all that can be seen: replies, events, queries, and what is in the image
// files afterwards. A difference is shrunk to a short session and written as a
// recording.
//
// It does not draw the steps; package walk does, from what the simulator's machine
// looks like. What may differ is in package mirror's normalise.go and, about time, in
// compare.go here.
//
// The property it keeps: both sides get the same bytes in the same order, and a
// session agrees only if every message and every file does.
package duel
