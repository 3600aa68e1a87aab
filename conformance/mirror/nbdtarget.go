package mirror

import (
	"time"

	"fleece/host"
	"fleece/nbd"
	"fleece/nbd/nbdtest"
	"fleece/rt"
)

// nbdTarget is an NBD server of the recording's client, for backups to go to.
type nbdTarget struct {
	*nbdtest.Disk
	p       rt.Process
	stopped bool // it hangs, and is killed soon
}

// killedAfter is how long the recorded client let a hanging server be.
const killedAfter = 1500 * time.Millisecond

func (d *nbdTarget) WriteAt(p []byte, off int64) error {
	for d.stopped {
		d.p.Sleep(time.Second)
	}
	return d.Disk.WriteAt(p, off)
}

// start listens at a path.
func (d *nbdTarget) start(a *act, path, export string, size int64) {
	d.Disk, d.p = nbdtest.New(export, size), a.p
	d.Writable = true
	l, err := a.h.Listen(host.Unix, path)
	if err != nil {
		a.must(err)
		return
	}
	a.p.Go("nbd-target", func() { d.serve(l) })
}

func (d *nbdTarget) serve(l host.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		session := (&nbd.Server{Source: nbd.Exports{d}}).NewSession(conn)
		if e, err := session.Negotiate(); err != nil || e == nil {
			_ = conn.Close()
			continue
		}
		d.p.Go("nbd-target-killer", func() {
			for !d.stopped {
				d.p.Sleep(time.Millisecond)
			}
			d.p.Sleep(killedAfter)
			_ = conn.Close()
		})
		d.p.Go("nbd-target-client", func() { _ = session.Transmit() })
	}
}
