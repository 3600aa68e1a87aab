package socket

import (
	"time"

	"fleece/qmpfake/session"
)

// Next paces the world by the wall clock: timers fire when they are due, inputs
// come in between. When the world is late, timers and inputs take turns.
func (s *Server) Next(now, next time.Duration, listening bool) (session.Input, bool) {
	for _, c := range s.clients {
		if c != nil {
			c.flush()
			c.drained()
		}
	}
	for {
		wall := time.Since(s.begin)
		due := next >= 0 && wall >= next
		if listening && next != now && (!due || !s.lastInput) {
			if in, ok := s.pop(); ok {
				s.lastInput = true
				in.At = max(now, wall)
				if next >= 0 {
					in.At = min(in.At, next-1)
				}
				return in, true
			}
		}
		if due {
			s.lastInput = false
			return session.Input{}, false
		}
		s.wait(next-wall, next >= 0)
	}
}

// wait waits for an input, or for the timer if there is one.
func (s *Server) wait(d time.Duration, timed bool) {
	if !timed {
		<-s.wake
		return
	}
	s.timer.Reset(d)
	select {
	case <-s.wake:
	case <-s.timer.C:
	}
}

// pop takes the oldest input; the end comes when there is none.
func (s *Server) pop() (session.Input, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.head < len(s.queue) {
		a := s.queue[s.head]
		s.queue[s.head] = arrival{}
		if s.head++; s.head == len(s.queue) {
			s.queue, s.head = s.queue[:0], 0
		}
		if s.current(a) {
			return a.in, true
		}
	}
	if s.quit {
		return session.Input{Kind: session.End}, true
	}
	return session.Input{}, false
}

// current reports whether an input is of a client that the session has, and notes
// the client that it gets.
func (s *Server) current(a arrival) bool {
	switch {
	case a.c == nil:
		return true
	case a.in.Kind == session.Connect:
		s.clients[a.in.Monitor] = a.c
		return true
	}
	return s.clients[a.in.Monitor] == a.c
}
