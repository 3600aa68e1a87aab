package qmpfake

import (
	"slices"

	"fleece/qmp"
	"fleece/rt"
)

// chardev is a socket in server mode: it serves one client after the other (§1.1 of
// the behaviour document, {04}). Each new client is greeted and must negotiate.
type chardev struct {
	p     rt.Process
	serve func(qmp.Conn)

	mu      rt.Mutex
	backlog []qmp.Conn // protected by mu: connected, not served yet
	busy    bool       // protected by mu: a client is being served
}

func newChardev(p rt.Process, serve func(qmp.Conn)) *chardev {
	return &chardev{p: p, serve: serve, mu: p.NewMutex("chardev")}
}

// connect queues a client; a task serves it and those that queue up meanwhile.
func (c *chardev) connect(conn qmp.Conn) {
	c.mu.Lock()
	c.backlog = append(c.backlog, conn)
	idle := !c.busy
	c.busy = true
	c.mu.Unlock()
	if idle {
		c.p.Go("qmp", c.run)
	}
}

func (c *chardev) run() {
	for {
		c.mu.Lock()
		if len(c.backlog) == 0 {
			c.busy = false
			c.mu.Unlock()
			return
		}
		conn := c.backlog[0]
		c.backlog = slices.Delete(c.backlog, 0, 1)
		c.mu.Unlock()
		c.serve(conn)
	}
}
