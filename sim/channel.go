package sim

import (
	"fmt"

	"fleece/host"
	"fleece/machine"
)

// openChannel makes a port of a serial device. The guest never opens it: what comes is
// read and thrown away, as QEMU does with a port that is closed in the guest.
func (m *Machine) openChannel(c *machine.Channel) error {
	if c.Listens {
		l, err := m.host.Listen(host.Unix, c.Path)
		if err != nil {
			return fmt.Errorf("qemu-system-x86_64: -chardev socket,id=char%s,path=%s,server=on,wait=off: %s",
				c.ID, c.Path, ioError("Failed to bind socket to "+c.Path, err).Desc)
		}
		m.p.Go("chardev-"+c.ID, func() { swallowAll(l) })
		return nil
	}
	s, err := m.host.Dial(host.Unix, c.Path)
	if err != nil {
		return fmt.Errorf("qemu-system-x86_64: -chardev socket,id=char%s,path=%s: %s",
			c.ID, c.Path, ioError("Failed to connect to '"+c.Path+"'", err).Desc)
	}
	m.p.Go("chardev-"+c.ID, func() { swallow(s) })
	return nil
}

// swallowAll serves one client after the other.
func swallowAll(l host.Listener) {
	for {
		s, err := l.Accept()
		if err != nil {
			return
		}
		swallow(s)
	}
}

// swallow reads until the other end has gone.
func swallow(s host.Stream) {
	p := make([]byte, 512)
	for {
		if _, err := s.Read(p); err != nil {
			_ = s.Close()
			return
		}
	}
}
