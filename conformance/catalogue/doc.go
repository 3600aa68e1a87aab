// Package catalogue is what fleece promises, as data: the requirements (BEG-01 …),
// the invariants of disks and images (I1 …) and the error rows (E001 …), each with
// an id that never changes. Specs name these ids; the matrix requirement × spec and
// the check that nothing is left out are made from them.
//
// It is not the specs, and knows none of them: what they prove is handed in. It is
// not a parser for others either: the tables are part of the binary, and an error in
// one is an error of a test.
//
// The property it keeps: each row of a surface that is done is proved by a spec, or
// a sentence says why not.
//
// # The tables
//
// One row per line, columns between tabs, "-" where there is nothing to say, lines
// that begin with # are comments, and the first other line names the columns.
//
//	requirements.tsv  id, level (M must, S should), surface, statement
//	invariants.tsv    id, surface, statement
//	errors.tsv        id, surface, reach, source, code, name, call, condition, text, note
//	surfaces.tsv      name, state (done, open), what it is
//	uncovered.tsv     id, reason why no spec proves the row; may only get shorter
//	field.tsv         number, topic, variant of a suite in the field, specs, reason why none
//
// The reach of an error row is reachable, unreachable (the note says why no caller
// can see it) or superseded (the note says by what: another row, or the row of that
// number in docs/contract.md, which settles conflicts between sources). Its source is
// where the fact comes from: V seen with libvirt 9.0 and QEMU 7.2, C read in
// libvirt's code, S coded there behind a schema that refuses first, U defensive code
// there, D a draft of the API with job ids, P proposed where that draft is silent. The
// text is the distinctive part of the message after the code's envelope; %s, %d and
// %x stand for what varies. Code 0 is no error of a call but the outcome of a job.
package catalogue
