package live_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fleece/host/oshost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/qmp/qmpnet"
	"fleece/qmpfake/live"
	"fleece/rt/realrt"
	"fleece/sim"
)

// disk makes an empty qcow2 image of 1 MiB.
func disk(t *testing.T, path string) {
	t.Helper()
	w := realrt.NewWorld()
	p := w.NewProcess("test")
	if err := sim.CreateImage(oshost.New(p, oshost.Options{}), path, 1<<20, 0, 3); err != nil {
		t.Fatal(err)
	}
	p.Kill()
}

func node(filename string) qmp.Value {
	return qmp.Dict(qmp.M("driver", qmp.Str("qcow2")), qmp.M("node-name", qmp.Str("d")),
		qmp.M("file", qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str(filename)))))
}

// start runs a machine with one disk; talk connects to its monitor.
func start(t *testing.T, dir, filename string, crash sim.Crash) (m *live.Machine, talk func() *qmpnet.Conn) {
	t.Helper()
	sock, err := os.MkdirTemp("", "live")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sock) })
	l, err := net.Listen("unix", filepath.Join(sock, "qmp"))
	if err != nil {
		t.Fatal(err)
	}
	m, err = live.Start(live.Options{
		Dir: dir, Monitors: []net.Listener{l}, Crash: crash,
		Machine: machine.Spec{Name: "vm", Paused: true, Nodes: []qmp.Value{node(filename)},
			Devices: []machine.Device{{Driver: "virtio-blk-pci", ID: "virtio-disk0", Drive: "d"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, func() *qmpnet.Conn {
		c, err := qmpnet.Dial("unix", filepath.Join(sock, "qmp"))
		if err != nil {
			t.Fatal(err)
		}
		say(t, c, "")
		say(t, c, "qmp_capabilities")
		return c
	}
}

// say sends a command, if there is one, and gives the next reply or greeting.
func say(t *testing.T, c *qmpnet.Conn, name string, args ...qmp.Member) qmp.Value {
	t.Helper()
	if name != "" {
		if err := c.Send(qmp.Command{Name: name, Args: qmp.Dict(args...)}.Message(qmp.Int(1))); err != nil {
			t.Fatal(err)
		}
	}
	for {
		v, err := c.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !v.Get("event").Present() {
			return v
		}
	}
}

func TestMachine_LeavesWhatItWroteInTheFileWhenItQuits(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "disk")
	disk(t, path)
	m, talk := start(t, dir, "disk", sim.CrashAnswers) // a relative name
	c := talk()
	say(t, c, "human-monitor-command", qmp.M("command-line", qmp.Str(`qemu-io -d virtio-disk0/virtio-backend "write -P 5 64k 64k"`)))
	say(t, c, "block-dirty-bitmap-add", qmp.M("node", qmp.Str("d")), qmp.M("name", qmp.Str("b")), qmp.M("persistent", qmp.Bool(true)))
	if v := say(t, c, "quit"); !v.Get("return").Present() {
		t.Errorf("quit was answered with %v", v)
	}
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ program, args, want string }{
		{"qemu-img", "check " + path, "No errors were found"},
		{"qemu-img", "info " + path, "name: b"},
		{"qemu-io", "-r -c read_-P_5_64k_64k " + path, "read 65536/65536"},
		{"qemu-io", "-r -c read_-P_0_0_64k " + path, "read 65536/65536"},
	} {
		args := strings.Fields(x.args)
		for i := range args {
			if !strings.HasPrefix(args[i], "/") {
				args[i] = strings.ReplaceAll(args[i], "_", " ")
			}
		}
		if _, err := exec.LookPath(x.program); err != nil {
			t.Skip(err)
		}
		if out, err := exec.Command(x.program, args...).CombinedOutput(); err != nil || !strings.Contains(string(out), x.want) || strings.Contains(string(out), "failed") {
			t.Errorf("%s %s: %v\n%s", x.program, x.args, err, out)
		}
	}
}

func TestMachine_TouchesNoFileOutsideOfItsDirectory(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	disk(t, filepath.Join(dir, "disk"))
	disk(t, filepath.Join(other, "disk"))
	m, talk := start(t, dir, filepath.Join(dir, "disk"), sim.CrashAnswers)
	c := talk()
	for _, name := range []string{filepath.Join(other, "disk"), "../" + filepath.Base(other) + "/disk", "/etc/passwd"} {
		v := say(t, c, "blockdev-add", node(name).Members()[0], qmp.M("node-name", qmp.Str("x")), node(name).Members()[2])
		if want := "Could not open '" + name + "': Permission denied"; v.Get("error").Get("desc").S() != want {
			t.Errorf("%s: got %v", name, v)
		}
	}
	m.Terminate()
	if err := m.Wait(); err != nil {
		t.Error(err)
	}
}

func TestMachine_ServesOneClientOfAMonitorAfterTheOther(t *testing.T) {
	dir := t.TempDir()
	disk(t, filepath.Join(dir, "disk"))
	m, talk := start(t, dir, "disk", sim.CrashAnswers)
	for range 3 {
		if err := talk().Close(); err != nil {
			t.Error(err)
		}
	}
	m.Terminate()
	if err := m.Wait(); err != nil {
		t.Error(err)
	}
}

func TestMachine_DiesWhereTheSwitchSaysSo(t *testing.T) {
	dir := t.TempDir()
	disk(t, filepath.Join(dir, "disk"))
	m, talk := start(t, dir, "disk", sim.CrashDies)
	c := talk()
	if err := c.Send(qmp.Command{Name: "blockdev-reopen", Args: qmp.Dict(qmp.M("options", qmp.List()))}.Message(qmp.Int(1))); err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); !errors.Is(err, live.ErrDied) {
		t.Errorf("got %v", err)
	}
}

func TestStart_SaysWhatQEMUWouldAndLeavesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, err = live.Start(live.Options{Dir: t.TempDir(), Monitors: []net.Listener{l}, Machine: machine.Spec{Name: "vm", Nodes: []qmp.Value{node("none")}}})
	var start *live.StartError
	if !errors.As(err, &start) || !strings.Contains(err.Error(), "Could not open 'none': No such file or directory") {
		t.Errorf("got %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the monitor still listens")
	}
	if _, err := live.Start(live.Options{Dir: "/no/such/dir"}); err == nil {
		t.Error("a directory that is none was taken")
	}
}
