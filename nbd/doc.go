// Package nbd is the NBD protocol in its fixed newstyle form, both ends: a Server
// that offers exports as QEMU 7.2 does (options, structured replies, meta
// contexts, block status, the texts and error numbers of its refusals), and a
// Client with the same features. Both are blocking code over a stream of bytes;
// nbd/nbdnet puts them on sockets.
//
// It is not a disk and not a listener: content and extents come from an Export,
// connections from the caller, who also owns time (how long a handshake may take)
// and lifetime (which sessions end when an export goes away).
//
// The property it keeps: what a peer sends costs no more memory than it has the
// right to: a few KiB before an export is open, one request of at most PayloadMax
// after it. Bad input ends in an error reply or in the end of the session.
//
// An example, a whole server for one connection:
//
//	s := (&nbd.Server{Source: exports}).NewSession(conn)
//	if e, err := s.Negotiate(); err == nil && e != nil {
//		err = s.Transmit()
//	}
//	conn.Close()
//
// Numbers and names are those of the NBD protocol document; what QEMU decides is
// cited as §6 of the behaviour document.
package nbd
