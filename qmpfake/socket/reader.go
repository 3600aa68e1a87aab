package socket

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"fleece/qmpfake/session"
)

const (
	// readBytesMax is the size of one piece of a client's input.
	readBytesMax = 16 << 10
	// piecesMax is how many there may be: one that the session has, one that waits
	// for it, one that was read, one to read into.
	piecesMax = 4
)

// reader hands a client's bytes to the session, one piece at a time.
type reader struct {
	c      *client
	pieces [piecesMax][]byte
	next   int    // to read into
	got    []byte // was read, is not offered yet

	mu sync.Mutex
	// Below is protected by mu.
	room sync.Cond // held or over changed
	busy bool      // the session has a piece
	held []byte    // waits for the session
	over bool      // nothing is wanted any more
}

func newReader(c *client) *reader {
	r := &reader{c: c}
	r.room.L = &r.mu
	return r
}

// run reads until the client's input ends.
func (r *reader) run() {
	for {
		if r.pieces[r.next] == nil {
			r.pieces[r.next] = make([]byte, readBytesMax)
		}
		buf := r.pieces[r.next]
		n, err := r.read(buf)
		switch {
		case n > 0:
			r.offer()
			r.got = buf[:n]
			r.next = (r.next + 1) % piecesMax
		case errors.Is(err, io.EOF) && !r.c.hungUp():
			r.offer()
			r.settle()
			r.c.s.push(r.c, session.Input{Kind: session.EOF})
			return
		default:
			// The real binary drops what was written just before ({04}).
			r.c.s.push(r.c, session.Input{Kind: session.Hangup})
			return
		}
	}
}

// read waits for bytes. What was read before is offered when nothing more is there
// at once: what comes together with the client's end is dropped.
func (r *reader) read(buf []byte) (n int, err error) {
	broken := r.c.raw.Read(func(fd uintptr) bool {
		for {
			n, err = rawRead(fd, buf)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				r.offer()
				return false
			}
			return true
		}
	})
	switch {
	case broken != nil:
		return 0, broken
	case err == nil && n == 0:
		return 0, io.EOF
	}
	return n, err
}

// offer gives what was read to the session, or holds it until the session has room.
func (r *reader) offer() {
	if len(r.got) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.held != nil && !r.over {
		r.room.Wait()
	}
	if r.busy {
		r.held = r.got
	} else {
		r.give(r.got)
	}
	r.got = nil
}

// settle waits until nothing is held.
func (r *reader) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.held != nil && !r.over {
		r.room.Wait()
	}
}

// give runs with mu held.
func (r *reader) give(piece []byte) {
	r.busy = true
	r.c.s.push(r.c, session.Input{Kind: session.Data, Data: piece})
}

// taken says that the session is done with its piece.
func (r *reader) taken() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
	if r.held != nil {
		r.give(r.held)
		r.held = nil
		r.room.Signal()
	}
}

// end lets go of a reader that waits for room.
func (r *reader) end() {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.room.Signal()
}

// hungUp reports whether the client has closed both directions.
func (c *client) hungUp() bool {
	gone := false
	err := c.raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(p, 0)
		gone = err == nil && n > 0 && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}
