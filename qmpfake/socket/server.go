package socket

import (
	"fmt"
	"net"
	"sync"
	"time"

	"fleece/qmpfake/session"
)

// Server is the outside of one session. Use Listen, then Run.
type Server struct {
	listeners []net.Listener
	ready     func()
	print     func(line string)

	begin time.Time
	timer *time.Timer
	// Below belongs to the goroutine of the world.
	clients   []*client // of each monitor, nil if there is none
	lastInput bool      // what the session got last was an input, not a timer

	wake chan struct{} // a token: queue is not empty
	done chan struct{} // closed when the session is over
	wg   sync.WaitGroup

	mu    sync.Mutex // protects what follows
	queue []arrival  // bounded: what a client has sent waits here until it is taken
	head  int        // of the first one in queue
	quit  bool       // the machine is gone
	stops int        // calls of Terminate
}

// arrival is an input with the connection that it came by, nil if it is the host's.
type arrival struct {
	in session.Input
	c  *client
}

var (
	_ session.Source = (*Server)(nil)
	_ session.Output = (*Server)(nil)
)

// Listen opens the monitors. On an error nothing is left open.
func Listen(addresses []Address) (*Server, error) {
	if len(addresses) < 1 || len(addresses) > session.MonitorsMax {
		return nil, fmt.Errorf("%d monitors; there may be 1 to %d", len(addresses), session.MonitorsMax)
	}
	s := &Server{
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		clients: make([]*client, len(addresses)), timer: time.NewTimer(time.Hour),
	}
	for _, a := range addresses {
		l, err := a.Listen()
		if err != nil {
			s.closeListeners()
			return nil, err
		}
		s.listeners = append(s.listeners, l)
	}
	return s, nil
}

// Addresses are where the monitors listen, with ports that were chosen.
func (s *Server) Addresses() []Address {
	addresses := make([]Address, len(s.listeners))
	for i, l := range s.listeners {
		addresses[i] = Address{l.Addr().Network(), l.Addr().String()}
	}
	return addresses
}

// Close closes the listeners of a server that will not Run.
func (s *Server) Close() { s.closeListeners() }

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// Options of Run.
type Options struct {
	// Session is what runs; Source, Output and Setup.Begin are set by Run.
	Session session.Options
	// Ready, if set, is called when the machine runs and clients are accepted.
	Ready func()
	// Print, if set, gets the lines of the machine's stdout.
	Print func(line string)
}

// Run serves the session until the machine has quit, and closes everything. The
// error is that of session.Run.
func (s *Server) Run(opts Options) error {
	s.ready, s.print = opts.Ready, opts.Print
	s.begin = time.Now()
	run := opts.Session
	run.Source, run.Output = s, s
	run.Setup.Begin = s.begin
	run.Setup.Monitors = len(s.listeners)
	err := session.Run(run)
	for _, c := range s.clients {
		if c != nil {
			c.flush()
			c.end()
		}
	}
	close(s.done)
	s.closeListeners()
	s.wg.Wait()
	return err
}

// Terminate ends the machine as SIGTERM ends QEMU. It may be called by any
// goroutine, and more than once.
func (s *Server) Terminate() {
	s.mu.Lock()
	s.stops++
	first := s.stops == 1
	s.mu.Unlock()
	if first {
		s.push(nil, session.Input{Kind: session.Terminate})
	}
}

// accept is the goroutine of one monitor: it takes one client after the other.
func (s *Server) accept(monitor int, l net.Listener) {
	defer s.wg.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			select {
			case <-s.done:
				return
			case <-time.After(acceptPause): // out of descriptors, as a rule
				continue
			}
		}
		c, err := newClient(s, monitor, conn.(stream))
		if err != nil {
			_ = conn.Close()
			continue
		}
		s.wg.Add(2)
		go func() { defer s.wg.Done(); c.writeRest() }()
		s.push(c, session.Input{Kind: session.Connect})
		go func() { defer s.wg.Done(); c.reader.run() }()
		select {
		case <-c.ended:
		case <-s.done:
			c.end() // the session may never have heard of it
			return
		}
	}
}

// acceptPause is how long a monitor waits after an accept that failed.
const acceptPause = 100 * time.Millisecond

// push queues an input and wakes the session.
func (s *Server) push(c *client, in session.Input) {
	if c != nil {
		in.Monitor = c.monitor
	}
	s.mu.Lock()
	s.queue = append(s.queue, arrival{in, c})
	s.mu.Unlock()
	s.notify()
}

func (s *Server) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Ready lets clients in.
func (s *Server) Ready() {
	for i, l := range s.listeners {
		s.wg.Add(1)
		go s.accept(i, l)
	}
	if s.ready != nil {
		s.ready()
	}
}

// Write gathers output to a client.
func (s *Server) Write(port int, data []byte) {
	if c := s.clients[port]; c != nil {
		c.write(data)
	}
}

// Taken lets a client's reader read on.
func (s *Server) Taken(port int) {
	if c := s.clients[port]; c != nil {
		c.reader.taken()
	}
}

// Full has the session told when a client has read all.
func (s *Server) Full(port int) {
	if c := s.clients[port]; c != nil {
		c.wantDrained()
	}
}

// Closed ends a client.
func (s *Server) Closed(port int) {
	if c := s.clients[port]; c != nil {
		s.clients[port] = nil
		c.flush()
		c.end()
	}
}

// Print passes a line on.
func (s *Server) Print(line string) {
	if s.print != nil {
		s.print(line)
	}
}

// Quit has the session ended.
func (s *Server) Quit() {
	s.mu.Lock()
	s.quit = true
	s.mu.Unlock()
	s.notify()
}
