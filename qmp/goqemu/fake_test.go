package goqemu_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	api "github.com/digitalocean/go-qemu/qmp"

	"fleece/qmp"
	"fleece/qmp/goqemu"
)

// fake is a QMP server on a socket that is as badly timed as a test wants.
type fake struct {
	t       *testing.T
	network string
	address string
}

const banner = `{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, "capabilities": ["oob"]}}` + "\r\n"

// anEvent is an event with a number in its data.
func anEvent(name, n string) string {
	return fmt.Sprintf(`{"timestamp": {"seconds": 1, "microseconds": 2}, "event": %q, "data": {"n": %s}}`+"\r\n", name, n)
}

// serve takes one client: before and after are written around the reply to
// qmp_capabilities, f writes what follows each other command.
func serve(t *testing.T, before, after string, f func(c net.Conn, command qmp.Value)) fake {
	t.Helper()
	s := fake{t, "unix", filepath.Join(t.TempDir(), "q")}
	l, err := net.Listen(s.network, s.address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, banner)
		in := qmp.NewDecoder(bufio.NewReader(c))
		for {
			m, err := in.Next()
			switch {
			case err != nil:
				return
			case m.Get("execute").S() == "qmp_capabilities":
				id := ""
				if m.Get("id").Present() {
					id = `, "id": ` + m.Get("id").String()
				}
				fmt.Fprintf(c, "%s{\"return\": {}%s}\r\n%s", before, id, after) // in one packet
			default:
				f(c, m)
			}
		}
	}()
	return s
}

// ours connects a Monitor of this package.
func (s fake) ours() *goqemu.Monitor {
	s.t.Helper()
	m, err := goqemu.Dial(s.network, s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = m.Disconnect() })
	if err := m.Connect(); err != nil {
		s.t.Fatal(err)
	}
	return m
}

// theirs connects go-qemu's SocketMonitor.
func (s fake) theirs() api.Monitor {
	s.t.Helper()
	m, err := api.NewSocketMonitor(s.network, s.address, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := m.Connect(); err != nil {
		s.t.Fatal(err)
	}
	return m
}

// reply writes {"return": result} with the command's id.
func reply(c net.Conn, command qmp.Value, result qmp.Value) {
	_, _ = c.Write(append(qmp.Encode(qmp.Return(result, command.Get("id"))), "\r\n"...))
}
