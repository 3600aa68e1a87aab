package socket_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fleece/qmpfake/socket"
)

func TestParseAddress_TakesUnixPathsAndLoopback(t *testing.T) {
	for _, text := range []string{"unix:/run/qmp", "unix:qmp", "tcp:127.0.0.1:4444", "tcp:localhost:0", "tcp:[::1]:4444"} {
		if a, err := socket.ParseAddress(text); err != nil || a.String() != text {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
	for text, want := range map[string]string{
		"":                                  "it is unix:PATH or tcp:127.0.0.1:PORT",
		"/run/qmp":                          "it is unix:PATH or tcp:127.0.0.1:PORT",
		"unix:":                             "it is unix:PATH or tcp:127.0.0.1:PORT",
		"udp:127.0.0.1:1":                   `network "udp" is neither unix nor tcp`,
		"tcp:4444":                          "missing port in address",
		"tcp:0.0.0.0:4444":                  "QMP has no authentication: use 127.0.0.1",
		"tcp::4444":                         "QMP has no authentication",
		"unix:/" + strings.Repeat("x", 107): "at most 107 bytes",
	} {
		if _, err := socket.ParseAddress(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestListen_ReplacesAStaleSocketOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "qmp")
	address := []socket.Address{{Network: "unix", Path: path}}
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = stale.Close()
	s, err := socket.Listen(address)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	if _, err := socket.Listen(address); err == nil || !strings.Contains(err.Error(), "another server listens there") {
		t.Errorf("a live socket: %v", err)
	}
	s.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := socket.Listen(address); err == nil || !strings.Contains(err.Error(), "a file that is no socket") {
		t.Errorf("a file: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "precious" {
		t.Error("the file is lost")
	}
}

func TestListen_SaysWhatIsInTheWayAndLeavesNothingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	path := filepath.Join(t.TempDir(), "qmp")
	_, err = socket.Listen([]socket.Address{{Network: "unix", Path: path}, {Network: "tcp", Path: taken.Addr().String()}})
	if err == nil || !strings.Contains(err.Error(), "another server listens there") {
		t.Errorf("a port in use: %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the first monitor's socket is left")
	}
	_, err = socket.Listen([]socket.Address{{Network: "unix", Path: path + "/no/such"}})
	if err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("no directory: %v", err)
	}
	if _, err := socket.Listen(nil); err == nil {
		t.Error("a server without monitors")
	}
	if _, err := socket.Listen(make([]socket.Address, 17)); err == nil || !strings.Contains(err.Error(), "1 to 16") {
		t.Errorf("too many monitors: %v", err)
	}
}
