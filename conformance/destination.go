package conformance

import "fleece/host"

// Destination is where a guest could migrate to: a socket of the harness that takes the
// connection and reads nothing until it is told to. No machine is behind it.
type Destination struct {
	t    *T
	path string
	// Protected by T.mu.
	arrived, open bool
}

// Destination listens for a guest.
func (t *T) Destination(name string) *Destination {
	n := &Destination{t: t, path: t.Path(name)}
	l, err := t.host.Listen(host.Unix, n.path)
	t.must(err, "listen for a guest")
	t.Keeps(n.path)
	t.env.Spec.Go("destination", func() { n.serve(l) })
	return n
}

// URI is what MigrateToURI is given.
func (n *Destination) URI() string { return "unix:" + n.path }

// AwaitGuest waits until QEMU has connected.
func (n *Destination) AwaitGuest() {
	n.t.Await("QEMU to connect to the destination", func() bool { return n.is(&n.arrived) })
}

// LetIn reads whatever comes from now on.
func (n *Destination) LetIn() { n.set(&n.open) }

func (n *Destination) is(what *bool) bool {
	n.t.mu.Lock()
	defer n.t.mu.Unlock()
	return *what
}

func (n *Destination) set(what *bool) {
	n.t.mu.Lock()
	*what = true
	n.t.noteChange()
	n.t.mu.Unlock()
}

// serve takes one connection after the other; nothing is read before LetIn.
func (n *Destination) serve(l host.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		n.set(&n.arrived)
		n.t.env.Spec.Go("arrival", func() {
			defer closeQuietly(c)
			n.t.mu.Lock()
			for !n.open && !n.t.over {
				n.t.changed.Wait()
			}
			n.t.mu.Unlock()
			p := make([]byte, 1<<16)
			for {
				if _, err := c.Read(p); err != nil {
					return
				}
			}
		})
	}
}

// Left says that the driver has ended the domain, whose guest is somewhere else.
func (d *Domain) Left() { d.gone = true }
