// Package walk makes random sessions: given what a machine looks like now, it
// proposes the next command, mostly one that can succeed.
//
// It runs nothing and compares nothing; package duel does.
//
// The property it keeps: a step is a function of the seed and of the view, so that a
// session can be made again; and no step asks for what is known to crash or to hang
// the real binary (§11 of the behaviour spec).
package walk
