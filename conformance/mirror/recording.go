package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"fleece/machine"
	"fleece/qmp"
)

// exchange is one step of a client on one connection and what came until its next:
// a command, bytes that are none, or (with neither) a new connection.
type exchange struct {
	line    int // of the recording
	monitor string
	note    string
	sent    time.Duration
	done    time.Duration // when the reply came: about when QEMU executed it
	command qmp.Value
	raw     string
	answers []qmp.Value
	ended   []time.Duration // when jobs concluded, as their events among answers say
}

func (e *exchange) id() string { return e.command.Get("id").S() }

func (e *exchange) isConnect() bool { return !e.command.Present() && e.raw == "" }

// what shows the exchange in a report.
func (e *exchange) what() string {
	switch {
	case e.command.Present():
		return e.command.String()
	case e.raw != "":
		return fmt.Sprintf("bytes %q", e.raw)
	}
	return "a new connection"
}

// Recording is one recorded session.
type Recording struct {
	// Name is the file's, without directory and extension.
	Name string
	// Continues is the number of the recording whose QEMU this one went on with;
	// "" if it started its own.
	Continues string

	spec      machine.Spec
	chardevs  []string // ids of sockets that QEMU connected
	files     []File   // as the note tells; nil if it does not
	signal    bool     // ended by SIGTERM
	exchanges []exchange
}

// number is what the name begins with.
func (r *Recording) number() string {
	n, _, _ := strings.Cut(r.Name, "-")
	return n
}

// Load reads every recording of a directory, sorted by name.
func Load(dir string) ([]*Recording, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s has no recordings (*.jsonl)", dir)
	}
	sort.Strings(paths)
	var all []*Recording
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		r, err := Parse(strings.TrimSuffix(filepath.Base(p), ".jsonl"), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// continues begins the note of a recording that goes on with another's QEMU.
const continues = "continues transcript "

// Parse reads a recording. Errors tell the line.
func Parse(name string, text []byte) (*Recording, error) {
	lines, err := qmp.ReadTranscript(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("the recording is empty")
	}
	r := &Recording{Name: name}
	last := map[string]int{}
	for i, l := range lines {
		if rest, ok := strings.CutPrefix(l.Note, continues); ok && i == 0 {
			r.Continues, _, _ = strings.Cut(rest, ";")
		}
		if l.Message.Get("QMP").Present() || l.Dir == qmp.FromClient {
			if err := r.begin(i+1, l); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			last[l.Monitor] = len(r.exchanges) - 1
			continue
		}
		k, ok := last[l.Monitor]
		if !ok {
			return nil, fmt.Errorf("line %d: a message of QEMU before the greeting of its connection", i+1)
		}
		r.answer(&r.exchanges[k], l)
	}
	return r, nil
}

// begin adds a step of a client, or a connection with its greeting.
func (r *Recording) begin(line int, l qmp.Line) error {
	e := exchange{line: line, monitor: l.Monitor, note: l.Note, sent: l.At, done: l.At, command: l.Message, raw: l.Raw}
	if l.Dir == qmp.FromServer {
		e.command, e.answers = qmp.Value{}, []qmp.Value{l.Message}
		if argv, ok := strings.CutPrefix(l.Note, "argv: "); ok {
			argv, files, err := cutFiles(argv)
			if err != nil {
				return err
			}
			r.files = files
			spec, err := parseArguments(argv)
			if err != nil {
				return fmt.Errorf("QEMU's arguments in the note: %w", err)
			}
			r.spec, r.chardevs = spec, chardevsOf(argv)
		}
	}
	r.exchanges = append(r.exchanges, e)
	return nil
}

func (r *Recording) answer(e *exchange, l qmp.Line) {
	e.answers = append(e.answers, l.Message)
	if isConcluded(l.Message) {
		e.ended = append(e.ended, l.At)
	}
	r.signal = r.signal || l.Message.Get("data").Get("reason").S() == "host-signal"
	if !l.Message.Get("event").Present() {
		e.done = l.At
	}
}

// isConcluded reports whether a message tells of a job that has concluded.
func isConcluded(v qmp.Value) bool {
	return v.Get("event").S() == "JOB_STATUS_CHANGE" && v.Get("data").Get("status").S() == "concluded"
}

// createTimes gives the times of jobs that create images and took longer than until the
// next command: for each id, one after the other.
func (r *Recording) createTimes() func(id string) time.Duration {
	took := map[string][]time.Duration{}
	for i := range r.exchanges {
		e := &r.exchanges[i]
		refused := slices.ContainsFunc(e.answers, func(a qmp.Value) bool { return a.Get("error").Present() })
		if e.command.Get("execute").S() != "blockdev-create" || refused {
			continue
		}
		id := e.command.Get("arguments").Get("job-id").S()
		took[id] = append(took[id], r.createTime(i, id))
	}
	return func(id string) time.Duration {
		if len(took[id]) == 0 {
			return 0
		}
		d := took[id][0]
		took[id] = took[id][1:]
		return d
	}
}

// createTime is how long the job took that exchange i began; 0 if it was over before the
// next command.
func (r *Recording) createTime(i int, id string) time.Duration {
	for k := i; k < len(r.exchanges); k++ {
		n := 0
		for _, a := range r.exchanges[k].answers {
			if !isConcluded(a) {
				continue
			}
			if a.Get("data").Get("id").S() == id {
				if k == i {
					return 0
				}
				return r.exchanges[k].ended[n] - r.exchanges[i].done
			}
			n++
		}
	}
	return 0
}

// join makes one session of a recording and those that continue it.
func join(recordings []*Recording) []*Recording {
	var joined []*Recording
	for _, r := range recordings {
		k := len(joined) - 1
		for ; k >= 0 && (r.Continues == "" || joined[k].number() != r.Continues); k-- {
		}
		if k < 0 {
			copied := *r
			joined = append(joined, &copied)
			continue
		}
		first := joined[k]
		first.exchanges = append(first.exchanges[:len(first.exchanges):len(first.exchanges)], r.exchanges...)
		first.Name += " + " + r.Name
		first.signal = first.signal || r.signal
	}
	return joined
}

// chardevsOf are the ids of the sockets that QEMU connects to.
func chardevsOf(argv string) (ids []string) {
	words := strings.Fields(argv)
	for i := 1; i < len(words); i++ {
		rest, ok := strings.CutPrefix(words[i], "socket,id=")
		if id, more, _ := strings.Cut(rest, ","); ok && words[i-1] == "-chardev" && !strings.Contains(more, "server=on") {
			ids = append(ids, id)
		}
	}
	return ids
}

// parseArguments reads -blockdev, -device and -S of a QEMU command line.
func parseArguments(argv string) (machine.Spec, error) {
	spec := machine.Spec{Paused: strings.Contains(" "+argv+" ", " -S ")}
	for argv != "" {
		word, rest, _ := strings.Cut(argv, " ")
		argv = strings.TrimLeft(rest, " ")
		if word != "-blockdev" && word != "-device" {
			continue
		}
		if argv == "" {
			return spec, fmt.Errorf("nothing follows %s", word)
		}
		if argv[0] != '{' {
			var text string
			text, argv, _ = strings.Cut(argv, " ")
			if word == "-blockdev" {
				return spec, fmt.Errorf("-blockdev %s: only the JSON form is recorded", text)
			}
			spec.Devices = append(spec.Devices, deviceOf(text))
			continue
		}
		d := json.NewDecoder(strings.NewReader(argv))
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return spec, err
		}
		argv = strings.TrimLeft(argv[d.InputOffset():], " ")
		v, err := qmp.Decode(raw)
		if err != nil {
			return spec, err
		}
		if word == "-blockdev" {
			spec.Nodes = append(spec.Nodes, v)
			continue
		}
		spec.Devices = append(spec.Devices, machine.Device{
			Driver: v.Get("driver").S(), ID: v.Get("id").S(), Drive: v.Get("drive").S(),
			Slot: slotOf(v.Get("addr").S()), WriteThrough: v.Get("write-cache").S() == "off",
			WriteErrors: v.Get("werror").S(), ReadErrors: v.Get("rerror").S(),
		})
	}
	return spec, nil
}

// slotOf is the PCI slot of an address: 0x3, 0x3.0x1.
func slotOf(address string) int {
	slot, _, _ := strings.Cut(address, ".")
	n, err := strconv.ParseUint(strings.TrimPrefix(slot, "0x"), 16, 5)
	if err != nil {
		return 0
	}
	return int(n)
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
		case name == "addr":
			d.Slot = slotOf(value)
		case name == "write-cache":
			d.WriteThrough = value == "off"
		case name == "werror":
			d.WriteErrors = value
		case name == "rerror":
			d.ReadErrors = value
		}
	}
	return d
}
