package sim_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
	"fleece/rt/simrt"
	"fleece/sim"
)

// recordings are the sessions that the simulator must repeat.
var recordings = []struct {
	number string
	// chunk says how long the recording host took for a chunk, where the
	// session depends on it.
	chunk time.Duration
	// size of the images, and whether the first disk was written all over
	// before the session began; the default is 16 MiB, empty.
	size   int64
	filled bool
}{
	{number: "08", chunk: 5 * time.Millisecond},
	{number: "10"},
	{number: "16"},
	{number: "17"},
	{number: "18"},
	{number: "19", size: 4 << 20, filled: true},
	{number: "20", size: 4 << 20},
	{number: "21", size: 4 << 20, filled: true},
	{number: "22", size: 4 << 20, filled: true},
	{number: "30"},
	{number: "34"},
	{number: "35"},
	{number: "36"},
	{number: "60"},
	{number: "81"},
}

// outOfReach are the commands of these sessions that are left out, by the client's
// id, with the reason. Everything else must be equal.
var outOfReach = map[string]map[string]string{
	"60": {
		"c-9": "blkdebug's pseudo file name has its rules in hash order",
	},
	"10": {
		"c-10": "query-blockstats is not simulated",
		"c-46": "block_set_io_throttle is not simulated",
	},
	"08": {
		"c-117": "the target's file grows while the first chunk is in flight; a chunk of the simulator lands at once",
	},
}

func TestRecordings_AreRepeatedLineByLine(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recordings {
		names, _ := filepath.Glob("../fixtures/transcripts/" + r.number + "-*.jsonl")
		if len(names) == 0 {
			t.Fatalf("no recording has the number %s", r.number)
		}
		for _, name := range names {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) {
				rec := readRecording(t, name)
				if r.size == 0 {
					r.size = 16 << 20
				}
				actual := replay(t, rec, r.size, r.filled, sim.Options{Schema: schema, ChunkTime: r.chunk})
				compare(t, rec, actual, outOfReach[r.number])
			})
		}
	}
}

// The sessions in testdata were recorded with QEMU 7.2.22 too: random commands on two
// disks, two targets and two job ids.
func TestRandomSessions_AreRepeatedLineByLine(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("testdata/sessions/*.jsonl")
	if err != nil || len(names) == 0 {
		t.Fatal("no sessions: ", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) {
			rec := readRecording(t, name)
			compare(t, rec, replay(t, rec, 16<<20, false, sim.Options{Schema: schema}), nil)
		})
	}
}

// exchange is one command and what came until the next.
type exchange struct {
	sent    time.Duration
	done    time.Duration // when the reply came: about when QEMU executed it
	command qmp.Value
	answers []qmp.Value
}

type recording struct {
	argv      string
	greeting  qmp.Value
	exchanges []exchange
}

func readRecording(t *testing.T, name string) (r recording) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var line struct {
			Dir, Note string
			Msg       json.RawMessage
			MS        float64
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		msg, err := qmp.Decode(line.Msg)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Duration(line.MS * float64(time.Millisecond))
		switch {
		case line.Dir == "C":
			r.exchanges = append(r.exchanges, exchange{sent: at, done: at, command: msg})
		case msg.Get("QMP").Present():
			r.greeting, r.argv = msg, strings.TrimPrefix(line.Note, "argv: ")
		default:
			e := &r.exchanges[len(r.exchanges)-1]
			e.answers = append(e.answers, msg)
			if !msg.Get("event").Present() {
				e.done = at
			}
		}
	}
	return r
}

// specOf reads -blockdev and -device from the command line in a recording's note.
func specOf(t *testing.T, argv string) machine.Spec {
	spec := machine.Spec{Name: "vm", Paused: strings.Contains(argv, " -S ")}
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

// images are the files that the recording client made with qemu-img before it used
// them; the recordings tell size and cluster size in their answers. Size 0 is the
// session's size, a negative one a plain file.
var images = []struct {
	name    string
	size    int64
	cluster int64
	version int
}{
	{"disk1.qcow2", 0, 0, 3}, {"disk2.qcow2", 0, 0, 3}, {"big2.qcow2", 64 << 20, 0, 3},
	{"full1.qcow2", -1, 0, 0}, {"full2.qcow2", -1, 0, 0}, {"raw.img", -16 << 20, 0, 0},
	{"snap1.qcow2", -1, 0, 0}, {"snap2.qcow2", -1, 0, 0}, {"incs.qcow2", -1, 0, 0},
	{"t1.qcow2", 0, 0, 3}, {"t2.qcow2", 16 << 20, 0, 3}, {"bt.qcow2", 16 << 20, 0, 3},
	{"small.qcow2", 8 << 20, 0, 3}, {"big.qcow2", 32 << 20, 0, 3}, {"odd.qcow2", 66048, 0, 3},
	{"v2.qcow2", 16 << 20, 0, 2}, {"huge.qcow2", 1 << 52, 2 << 20, 3},
	{"c512.qcow2", 16 << 20, 512, 3}, {"c4096.qcow2", 16 << 20, 4096, 3},
	{"c65536.qcow2", 16 << 20, 65536, 3}, {"c2097152.qcow2", 16 << 20, 2 << 20, 3},
	{"o1.qcow2", 16 << 20, 0, 3},
}

const imageDir = "/var/lib/fleece/"

func makeImages(t *testing.T, h host.Host, size int64) {
	for _, i := range images {
		var err error
		switch {
		case i.size == 0:
			err = sim.CreateImage(h, imageDir+i.name, size, i.cluster, i.version)
		case i.size > 0:
			err = sim.CreateImage(h, imageDir+i.name, i.size, i.cluster, i.version)
		default:
			err = makeFile(h, imageDir+i.name, -i.size&^1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func makeFile(h host.Host, name string, size int64) error {
	f, err := h.OpenFile(name, host.ReadWrite|host.Create, 0o600)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Close()
}

// replay executes every command at its recorded time and returns, for each, what
// came from when it was sent until the next was sent.
func replay(t *testing.T, rec recording, size int64, filled bool, opts sim.Options) [][]qmp.Value {
	actual := make([][]qmp.Value, len(rec.exchanges))
	result := simrt.Run(simrt.Options{KeepLog: true}, func(w *simrt.World) {
		k := memhost.New(w.Kernel(), memhost.Options{})
		if err := errors.Join(k.MkdirAll(imageDir), k.MkdirAll("/run/fleece")); err != nil {
			t.Error(err)
			return
		}
		makeImages(t, k.View(w.Spec()), size)
		p := w.NewProcess("qemu")
		now := -1
		start := w.Now()
		_ = p.Call("qemu-main", func() {
			m, err := sim.New(p, k.View(p), specOf(t, rec.argv), opts)
			if err != nil {
				t.Error(err)
				return
			}
			mon := m.AddMonitor(func(v qmp.Value) {
				if v.Present() && now >= 0 {
					actual[now] = append(actual[now], v)
				}
			})
			if filled {
				if err := m.GuestWrite("virtio-disk0", 0, bytes.Repeat([]byte{1}, int(size))); err != nil {
					t.Error(err)
				}
			}
			for i, e := range rec.exchanges {
				sleepUntil(p, start.Add(e.sent))
				now = i
				sleepUntil(p, start.Add(e.done))
				mon.Handle(e.command)
			}
			p.Sleep(time.Second)
		})
	})
	if result.Failure != nil {
		t.Fatalf("%s: %s\n%s", result.Failure.Kind, result.Failure.Detail, result.Failure.Stack)
	}
	return actual
}

func sleepUntil(p rt.Process, at time.Time) {
	if d := at.Sub(p.Now()); d > 0 {
		p.Sleep(d)
	}
}

func compare(t *testing.T, rec recording, actual [][]qmp.Value, left map[string]string) {
	var want, got names
	differences := 0
	for i, e := range rec.exchanges {
		wantText := want.normalise(e.command, e.answers)
		gotText := got.normalise(e.command, actual[i])
		if reason, ok := left[e.command.Get("id").S()]; ok {
			t.Logf("left out %v: %s", e.command, reason)
			continue
		}
		if diff := cmp.Diff(wantText, gotText); diff != "" {
			differences++
			if differences <= differencesShown {
				t.Errorf("command %d: %v (-recorded +simulated)\n%s", i, e.command, diff)
			}
		}
	}
	if differences > 0 {
		t.Errorf("%d of %d commands differ", differences, len(rec.exchanges))
	}
}

const differencesShown = 8
