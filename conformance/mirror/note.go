package mirror

import (
	"strings"
	"time"

	"fleece/host"
	"fleece/nbd"
)

// nbdActor is the NBD client that notes tell of.
type nbdActor struct {
	clients []*nbd.Client
	streams []host.Stream
}

// note does what a recording's note says happened. Notes that tell of nothing the
// simulator must be told, such as what the client did by commands of the session,
// need no entry.
func (a *act) note(text string) {
	switch {
	case text == "":
	case strings.Contains(text, "handshake only"):
		a.connect()
	case strings.Contains(text, "only OPT_INFO done"):
		if c := a.connect(); c != nil {
			_, err := c.Info(a.firstExport(c))
			a.must(err)
		}
	case strings.Contains(text, "sent DISC and closed"):
		if c := a.connect(); c != nil {
			a.open(c, a.firstExport(c))
			a.must(c.Disconnect())
			a.p.Sleep(time.Microsecond)
		}
	case strings.Contains(text, "reads queued"):
		a.queueReads(text)
	case strings.Contains(text, "(GO done)"), strings.Contains(text, "with client connected"), strings.Contains(text, "with a connected client"):
		if c := a.connect(); c != nil {
			a.open(c, a.firstExport(c))
		}
	}
}

// nbdSocket is where the recordings' NBD servers listen.
const nbdSocket = "/run/fleece/n.sock"

// connect opens an NBD session, handshake only; nil if nobody listens.
func (a *act) connect() *nbd.Client {
	conn, err := a.h.Dial(host.Unix, nbdSocket)
	if err != nil {
		a.must(err)
		return nil
	}
	c, err := nbd.Connect(conn)
	if err != nil {
		a.must(err)
		return nil
	}
	a.nbd.clients, a.nbd.streams = append(a.nbd.clients, c), append(a.nbd.streams, conn)
	a.p.Sleep(time.Microsecond)
	return c
}

func (a *act) firstExport(c *nbd.Client) string {
	list, err := c.List()
	if err != nil || len(list) == 0 {
		a.must(err)
		return ""
	}
	return list[len(list)-1].Name
}

func (a *act) open(c *nbd.Client, name string) {
	_, err := c.Go(name)
	a.must(err)
	a.p.Sleep(time.Microsecond)
}

// queueReads has four reads in flight on the newest export.
func (a *act) queueReads(string) {
	c := a.connect()
	if c == nil {
		return
	}
	a.open(c, a.firstExport(c))
	stream := a.nbd.streams[len(a.nbd.streams)-1]
	for cookie := range byte(4) { // our client has one request in flight
		read := []byte{0x25, 0x60, 0x95, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, cookie, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0}
		_, err := stream.Write(read)
		a.must(err)
	}
	a.p.Sleep(time.Millisecond)
}
