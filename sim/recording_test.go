package sim_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"fleece/machine"
	"fleece/qmp"
)

// exchange is one step of a client on one connection and what came until its next:
// a command, bytes that are none, or (with neither) a new connection.
type exchange struct {
	monitor string
	sent    time.Duration
	done    time.Duration // when the reply came: about when QEMU executed it
	command qmp.Value
	raw     string
	answers []qmp.Value
}

func (e *exchange) id() string { return e.command.Get("id").S() }

func (e *exchange) isConnect() bool { return !e.command.Present() && e.raw == "" }

type recording struct {
	argv      string
	signal    bool // ended by SIGTERM
	exchanges []exchange
}

// readRecording reads a session; several files are one session.
func readRecording(t *testing.T, names ...string) (r recording) {
	var lines []qmp.Line
	for _, name := range names {
		lines = append(lines, readLines(t, name)...)
	}
	last := map[string]int{}
	for _, l := range lines {
		switch {
		case l.Message.Get("QMP").Present():
			r.argv += strings.TrimPrefix(l.Note, "argv: ")
			fallthrough
		case l.Dir == qmp.FromClient:
			last[l.Monitor] = len(r.exchanges)
			e := exchange{monitor: l.Monitor, sent: l.At, done: l.At, command: l.Message, raw: l.Raw}
			if l.Dir == qmp.FromServer {
				e.command, e.answers = qmp.Value{}, []qmp.Value{l.Message}
			}
			r.exchanges = append(r.exchanges, e)
		default:
			e := &r.exchanges[last[l.Monitor]]
			e.answers = append(e.answers, l.Message)
			r.signal = r.signal || l.Message.Get("data").Get("reason").S() == "host-signal"
			if !l.Message.Get("event").Present() {
				e.done = l.At
			}
		}
	}
	return r
}

// specOf reads -blockdev, -device and -S from the command line in a recording's
// note.
func specOf(t *testing.T, argv string) machine.Spec {
	spec := machine.Spec{Paused: strings.Contains(argv, " -S ")}
	for argv != "" {
		word, rest, _ := strings.Cut(argv, " ")
		argv = rest
		if word != "-blockdev" && word != "-device" {
			continue
		}
		if argv[0] != '{' {
			word, argv, _ = strings.Cut(argv, " ")
			spec.Devices = append(spec.Devices, deviceOf(word))
			continue
		}
		d := json.NewDecoder(strings.NewReader(argv))
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		argv = argv[d.InputOffset():]
		v, err := qmp.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if word == "-blockdev" {
			spec.Nodes = append(spec.Nodes, v)
			continue
		}
		spec.Devices = append(spec.Devices, machine.Device{
			Driver: v.Get("driver").S(), ID: v.Get("id").S(), Drive: v.Get("drive").S(),
		})
	}
	return spec
}

// deviceOf reads the short form: virtio-blk-pci,drive=x,id=y.
func deviceOf(text string) (d machine.Device) {
	for i, part := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch {
		case i == 0:
			d.Driver = part
		case name == "drive":
			d.Drive = value
		case name == "id":
			d.ID = value
		}
	}
	return d
}

func readLines(t *testing.T, name string) []qmp.Line {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := qmp.ReadTranscript(f)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
