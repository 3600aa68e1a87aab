// Package virt is the public layer: libvirt's API shape for domains, jobs,
// backups, checkpoints and snapshots. Conn, Domain, Checkpoint and Snapshot are
// concrete; they check handles, read-only connections, NULL arguments and flags in
// the documented order, dispatch to a driver, and turn a failure without an error
// into code 1.
//
// It is not a driver and does no work of its own: what no driver implements
// answers NO_SUPPORT (3) with the name of the call. It is not libvirt's client
// either: there is no URI, no RPC and no access control (88 is a driver's).
//
// The property it keeps: every driver, a stranger's too, is measured behind the
// same front.
//
// # NULL
//
// Strings that the C API may be given as NULL are pointers, nil being NULL; XML
// makes one. Empty is not NULL: it is a document that does not parse. Pointers of
// the C API through which a result comes back have no counterpart, since Go
// returns results; so these rows of the catalogue cannot be reached:
//
//	E020  GetJobInfo   info      the struct is returned by value
//	E021  GetJobStats  type      the type is returned
//	E022  GetJobStats  params    the slice is returned
//	E023  GetJobStats  nparams   it is len of the slice
//
// Nor can the NULL document of DomainDefineXML and the NULL name of the lookups of
// domains, which are plain strings. E017 is the release's check of backupXML; in
// the seed that document is optional.
//
// A list that C sets to NULL before any check is a nil slice beside the error.
//
// # Handles
//
// A handle is valid until it is freed as often as it was made and Ref'd; a freed
// one, a nil one and a zero one answer 7, 71 or 102. Freeing once too often is an
// error. Handles outlive what they name: calls then answer 42, 72 or 103, from the
// driver. What a Get returns is no new reference, and is valid as long as the
// handle that it came from.
//
// An example, a push backup of all disks and its end:
//
//	id, err := dom.BackupBegin(nil, virt.XML("<domaincheckpoint/>"), 0)
//	if errors.Is(err, virt.ERR_OPERATION_INVALID) {
//		return err // not running, or another backup is
//	}
//	// … the JobCompletedEvent of RegisterEvents comes …
//	completed, err := dom.BackupEnd(id, 0)
package virt
