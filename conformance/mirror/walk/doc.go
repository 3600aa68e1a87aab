// Package walk makes random sessions: given what a machine looks like now, it
// proposes the next command, mostly one that can succeed.
//
// In every fourth session a part of the steps are mistakes: mistakes.txt is a table of what
// QEMU refuses, and of what chance seldom does, so that every outcome of the error catalogue
// is met which has no reason (package coverage) why not.
//
// It runs nothing and compares nothing; package duel does.
//
// Beside that it leaves out, each for a reason that stands where it is done:
//
//   - storage shared by an image and another node: where clusters lie, and how long the
//     file is, would show as content;
//   - an image made inside of another one, or through a filter, and a plain file written
//     behind the back of an image that is in it: the same;
//   - reopening over the storage of another node: its lock, and what no image is;
//   - throttled backups that read what an earlier backup wrote: it copies several pieces
//     at a time, and their order in the image shows in what is copied at once;
//   - backups that read a plain file: which holes are left where zeroes were written is
//     the host's file system's;
//   - null-co without read-zeroes: it reads as what was in memory;
//   - two backups at the same time to one plain file: which writes last;
//   - errors of a target that no write reaches ignored: how often it is tried is a matter of
//     time;
//   - compressed backups to images: what zlib makes of data is its own business.
//
// The property it keeps: a step is a function of the seed and of the view, so that a
// session can be made again. What is known to crash or to hang the real binary (§11 of the
// behaviour spec) may be asked for: the simulator knows, and package duel leaves it out.
package walk
