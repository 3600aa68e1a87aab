package main

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"fleece/machine"
	"fleece/qmp"
)

// scriptPatience is how long a script waits for what must come.
const scriptPatience = 30 * time.Second

// serverKey is where a script keeps the server that it started.
type serverKey struct{}

// serverBox holds the server of one script.
type serverBox struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
}

func boxOf(ts *testscript.TestScript) *serverBox {
	return ts.Value(serverKey{}).(*serverBox)
}

// startServe is the command "serve ARGUMENT…": it starts fleece serve, waits until
// it listens, and sets QMP0, QMP1, … to its addresses. What it prints later is what
// "ended" finds.
func startServe(ts *testscript.TestScript, _ bool, args []string) {
	box := boxOf(ts)
	program, err := exec.LookPath("fleece")
	ts.Check(err)
	box.cmd = exec.Command(program, append([]string{"serve"}, args...)...)
	box.cmd.Dir = ts.Getenv("WORK")
	box.cmd.Stderr = os.Stderr
	out, err := box.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(box.cmd.Start())
	cmd := box.cmd
	ts.Defer(func() { _ = cmd.Process.Kill() })
	box.stdout = bufio.NewReader(out)
	n := 0
	for _, a := range args {
		if a != "--qmp" {
			continue
		}
		line, err := box.stdout.ReadString('\n')
		if err != nil {
			ts.Fatalf("the server does not listen: %v, it said %q", err, line)
		}
		ts.Setenv("QMP"+strconv.Itoa(n), strings.TrimSpace(strings.TrimPrefix(line, "listening on ")))
		n++
	}
}

// talkQMP is the command "qmp ADDRESS FILE OUT": it sends the lines of FILE, each when
// the one before is answered, and writes everything that came to OUT.
func talkQMP(ts *testscript.TestScript, _ bool, args []string) {
	network, path, _ := strings.Cut(args[0], ":")
	conn, err := net.Dial(network, path)
	ts.Check(err)
	defer conn.Close()
	ts.Check(conn.SetDeadline(time.Now().Add(scriptPatience)))
	in := bufio.NewReader(conn)
	all, err := in.ReadString('\n')
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		_, err := conn.Write([]byte(line))
		ts.Check(err)
		for answered := false; !answered; {
			got, err := in.ReadString('\n')
			all += got
			ts.Check(err)
			answered = !strings.HasPrefix(got, `{"timestamp"`)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(all), 0o644))
}

// endServe is the command "ended STATUS [SIGNAL]": it sends the signal, waits for the
// server's end, and writes what it printed to the file served.
func endServe(ts *testscript.TestScript, _ bool, args []string) {
	box := boxOf(ts)
	if len(args) > 1 {
		ts.Check(box.cmd.Process.Signal(map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}[args[1]]))
	}
	var said strings.Builder
	_, _ = box.stdout.WriteTo(&said)
	err := box.cmd.Wait()
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, not %s", status, args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs("served"), []byte(said.String()), 0o644))
}

func TestQEMUsArgumentsAreReadInBothForms(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-S", "-name", "guest=vm,debug-threads=on", "-blockdev", "qcow2,node-name=d,read-only=off,file.driver=file,file.filename=/a,,b,cache-size=65536",
			"-device", "virtio-blk-pci,drive=d,id=v,serial=7"},
		{"--name", "vm", "-blockdev", `{"driver":"qcow2","node-name":"d","read-only":false,"file":{"driver":"file","filename":"/a,b"},"cache-size":65536}`,
			"-S", "-nodefaults", "-m", "1G", "-device", `{"driver":"virtio-blk-pci","drive":"d","id":"v","serial":"7"}`},
	} {
		got, err := parseQEMUArguments(args, schema)
		if err != nil {
			t.Fatal(err)
		}
		want := qmp.Dict(qmp.M("driver", qmp.Str("qcow2")), qmp.M("node-name", qmp.Str("d")), qmp.M("read-only", qmp.Bool(false)),
			qmp.M("file", qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str("/a,b")))), qmp.M("cache-size", qmp.Int(65536)))
		device := machine.Device{Driver: "virtio-blk-pci", ID: "v", Drive: "d", Serial: "7"}
		if !got.Paused || got.Name != "vm" || len(got.Nodes) != 1 || !got.Nodes[0].Equal(want) || !slices.Equal(got.Devices, []machine.Device{device}) {
			t.Errorf("%q: %+v", args, got)
		}
		images, err := imagesOf(got, []string{"/other,size=1M,format=raw"})
		if err != nil || len(images) != 2 || images[1].Path != "/a,b" || images[1].Format != "qcow2" || images[0].Size != 1<<20 {
			t.Errorf("images %+v, %v", images, err)
		}
	}
}

func FuzzQEMUArguments(f *testing.F) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("qcow2,node-name=d,file.driver=file,file.filename=/a,,b")
	f.Add("driver=null-co,node-name=a,size=1,read-only=on,a.b=1,a=2")
	f.Add(`{"driver":"raw","file":{"driver":"file","filename":"/x"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := parseQEMUArguments([]string{"-blockdev", text}, schema)
		if err != nil {
			return
		}
		if len(spec.Nodes) != 1 || spec.Nodes[0].Kind() != qmp.KindDict {
			t.Errorf("%q became %v", text, spec.Nodes)
		}
		_, _ = imagesOf(spec, []string{text})
	})
}
