package memhost

import (
	"io"
	"syscall"

	"fleece/host"
	"fleece/rt"
)

// streamBuffer is how many bytes one direction of a connection holds before its
// writer waits; near what Linux gives a unix socket.
const streamBuffer = 128 << 10

// stream is one end of a connection. Both directions are on the kernel's locks and
// survive the processes at both ends.
type stream struct {
	in, out *flow
	leaf    rt.Mutex // protects unbind: two tasks may close
	unbind  func()
}

var _ host.Stream = (*stream)(nil)

// flow is one direction.
type flow struct {
	mu   rt.Mutex
	cond rt.Cond // any change

	// Below is protected by mu.
	data       []byte
	readerGone error // what the reader gets: EBADF or rt.ErrKilled
	writerGone error // what the writer gets
}

// newStreams makes a connection. Each Read and each Write takes one lock.
func newStreams(kernel rt.Runtime) (a, b *stream) {
	ab, ba := newFlow(kernel, "socket-ab"), newFlow(kernel, "socket-ba")
	return &stream{in: ba, out: ab, leaf: rt.NewLeafMutex(kernel, "socket-a")},
		&stream{in: ab, out: ba, leaf: rt.NewLeafMutex(kernel, "socket-b")}
}

func newFlow(kernel rt.Runtime, name string) *flow {
	mu := kernel.NewMutex(name)
	return &flow{mu: mu, cond: kernel.NewCond(name, mu)}
}

// bind makes the end p's: it is closed when p dies.
func (s *stream) bind(p rt.Process) {
	s.swapUnbind(p.OnKill(func() { _ = s.shut(rt.ErrKilled) }))
}

func (s *stream) swapUnbind(next func()) {
	s.leaf.Lock()
	old := s.unbind
	s.unbind = next
	s.leaf.Unlock()
	if old != nil {
		old()
	}
}

// Read waits for at least one byte.
func (s *stream) Read(p []byte) (int, error) {
	f := s.in
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.readerGone != nil:
			return 0, f.readerGone
		case len(p) == 0:
			return 0, nil
		case len(f.data) > 0:
			n := copy(p, f.data)
			f.data = f.data[:copy(f.data, f.data[n:])]
			f.cond.Broadcast()
			return n, nil
		case f.writerGone != nil:
			return 0, io.EOF
		}
		f.cond.Wait()
	}
}

// Write waits until all of p is in the buffer.
func (s *stream) Write(p []byte) (int, error) {
	f := s.out
	f.mu.Lock()
	defer f.mu.Unlock()
	for done := 0; ; {
		switch {
		case f.writerGone != nil:
			return done, f.writerGone
		case f.readerGone != nil:
			return done, syscall.EPIPE
		case done == len(p):
			return done, nil
		}
		n := min(len(p)-done, streamBuffer-len(f.data))
		if n == 0 {
			f.cond.Wait()
			continue
		}
		f.data = append(f.data, p[done:done+n]...)
		done += n
		f.cond.Broadcast()
	}
}

// Close ends both directions for both sides. Closing twice is EBADF. A process that dies
// in the middle has closed it all the same: the hook goes last.
func (s *stream) Close() error {
	err := s.shut(syscall.EBADF)
	s.swapUnbind(nil)
	return err
}

// closed reports whether this end was closed.
func (s *stream) closed() bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.writerGone != nil
}

// shut ends both directions, what leaves first: a task that the end of its Read
// wakes must find Write shut.
func (s *stream) shut(why error) error {
	s.out.mu.Lock()
	was := s.out.writerGone
	if was == nil {
		s.out.writerGone = why
	}
	s.out.cond.Broadcast()
	s.out.mu.Unlock()
	s.in.mu.Lock()
	if s.in.readerGone == nil {
		s.in.readerGone, s.in.data = why, nil
	}
	s.in.cond.Broadcast()
	s.in.mu.Unlock()
	return was
}
