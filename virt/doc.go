// Package virt is the public layer: libvirt's API shape for domains, jobs,
// backups, checkpoints and snapshots. Conn, Domain, Checkpoint and Snapshot are
// concrete; they check handles, read-only connections, NULL arguments and flags in
// the documented order, dispatch to a driver, and turn a failure without an error
// into code 1.
//
// It is not a driver and does no work of its own: what no driver implements
// answers NO_SUPPORT (3) with the name of the call.
//
// The property it keeps: every driver, a stranger's too, is measured behind the
// same front.
//
// Strings that the C API may be given as NULL are pointers, nil being NULL; XML
// makes one. Empty is not NULL: it is a document that does not parse.
package virt
