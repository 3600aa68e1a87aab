package sim

import (
	"errors"
	"syscall"

	"fleece/host"
	"fleece/nbd"
	"fleece/qmp"
)

// nbdDriver is a client of an NBD server. The machine's lock is let go during its
// requests: the server may be this machine's own. A connection that breaks stays
// broken, and every request fails then.
type nbdDriver struct {
	n      *node
	c      *nbd.Client
	size   int64
	busy   bool // one request at a time; protected by the machine's lock
	broken bool
}

// nbdAddress is where a server is, for the host and as QEMU shows it.
func nbdAddress(server qmp.Value) (network, address, shown string) {
	if server.Get("type").S() == "unix" {
		path := server.Get("path").S()
		return host.Unix, path, path
	}
	name, port := server.Get("host").S(), server.Get("port").S()
	if name == "localhost" {
		return host.TCP, "127.0.0.1:" + port, name + ":" + port
	}
	return host.TCP, name + ":" + port, name + ":" + port
}

// openNBD connects to a server.
func (m *Machine) openNBD(n *node) *qmp.ReplyError {
	network, address, shown := nbdAddress(n.options.Get("server"))
	export := n.options.Get("export").S()
	var c *nbd.Client
	var info nbd.Info
	m.mu.Unlock()
	conn, err := m.host.Dial(network, address)
	connected := err == nil
	if connected {
		if c, err = nbd.Connect(conn); err == nil {
			info, err = c.Go(export)
		}
		if err != nil {
			_ = conn.Close()
		}
	}
	m.mu.Lock()
	var refused *nbd.OptionError
	switch {
	case !connected:
		return ioError("Failed to connect to '"+shown+"'", err)
	case errors.As(err, &refused):
		return qmp.Generic("Requested export not available")
	case err != nil:
		return qmp.Generic("Failed to read data: Unexpected end-of-file before all data were read")
	}
	readOnly := info.Flags&nbd.FlagReadOnly != 0
	if readOnly && !n.readOnly && !n.options.Get("auto-read-only").IsTrue() {
		_ = c.Close()
		return qmp.Generic("request on denied: NBD server does not allow writes")
	}
	n.readOnly = n.readOnly || readOnly
	n.path = nbdName(network, shown, export)
	n.drv = &nbdDriver{n: n, c: c, size: info.Size}
	m.insert(n)
	return nil
}

// nbdName is the URI of nbd_refresh_filename.
func nbdName(network, shown, export string) string {
	switch {
	case network == host.Unix && export == "":
		return "nbd+unix://?socket=" + shown
	case network == host.Unix:
		return "nbd+unix:///" + export + "?socket=" + shown
	case export == "":
		return "nbd://" + shown
	}
	return "nbd://" + shown + "/" + export
}

// request runs f without the machine's lock.
func (d *nbdDriver) request(f func() error) error {
	m := d.n.m
	for d.busy {
		m.io.Wait()
	}
	if d.broken {
		return syscall.EIO
	}
	d.busy = true
	m.mu.Unlock()
	err := f()
	m.mu.Lock()
	d.busy = false
	m.io.Broadcast()
	var refused *nbd.RequestError
	if err == nil {
		return nil
	}
	if !errors.As(err, &refused) {
		d.broken = true
		return syscall.EIO
	}
	return syscall.Errno(refused.Errno)
}

// read keeps what r has collected so far: others may use its memory meanwhile.
func (d *nbdDriver) read(r *reader, off, n int64) error {
	before, shift := cloneSegments(r.segs), r.shift
	p := make([]byte, n)
	err := d.request(func() error {
		_, err := d.c.ReadAt(p, off)
		return err
	})
	r.segs, r.shift = append(r.segs[:0], before...), shift
	if err == nil {
		r.add(off, p)
	}
	return err
}

func cloneSegments(segs []segment) []segment {
	out := make([]segment, len(segs))
	for i, s := range segs {
		out[i] = segment{s.off, append([]byte(nil), s.data...)}
	}
	return out
}

func (d *nbdDriver) write(off, n int64, segs []segment) error {
	own := cloneSegments(segs)
	return d.request(func() error {
		at := off
		for _, s := range own {
			if err := d.zeroes(at, s.off-at); err != nil {
				return err
			}
			if _, err := d.c.WriteAt(s.data, s.off); err != nil {
				return err
			}
			at = s.off + int64(len(s.data))
		}
		return d.zeroes(at, off+n-at)
	})
}

// zeroes is a request to write zeroes, in parts.
func (d *nbdDriver) zeroes(off, n int64) error { return d.ranges(nbd.CmdWriteZeroes, off, n) }

func (d *nbdDriver) ranges(cmd nbd.Command, off, n int64) error {
	for n > 0 {
		part := min(n, nbd.PayloadMax)
		if _, _, err := d.c.Do(nbd.Request{Command: cmd, Offset: off, Length: uint32(part)}); err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}

func (d *nbdDriver) zero(off, n int64) error {
	return d.request(func() error { return d.zeroes(off, n) })
}

func (d *nbdDriver) discard(off, n int64) error {
	return d.request(func() error { return d.ranges(nbd.CmdTrim, off, n) })
}

// status takes everything for data: base:allocation is not asked for.
func (d *nbdDriver) status(_, n int64) (bool, bool, int64, error) { return true, false, n, nil }

func (d *nbdDriver) length() int64        { return d.size }
func (d *nbdDriver) truncate(int64) error { return syscall.ENOTSUP }
func (d *nbdDriver) flush() error         { return nil }
func (d *nbdDriver) info() imageInfo      { return imageInfo{} }

func (d *nbdDriver) close() error {
	if d.broken {
		_ = d.c.Close()
		return nil
	}
	return d.request(d.c.Disconnect)
}
