package sim_test

import (
	"errors"
	"slices"
	"strconv"
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

// stage is where a recording is replayed: what it found when it began, and what
// happened around it.
type stage struct {
	images []image
	// before are commands of an earlier machine, which then quit.
	before []string
	opts   sim.Options
	// acts are what the note before a command, given by its id, tells of.
	acts map[string]func(*act)
	// begin runs before the first command.
	begin func(*act)
}

// act is what an actor of the recording other than its client may use.
type act struct {
	t *testing.T
	m *sim.Machine
	h host.Host
	k *memhost.Kernel
	p rt.Process
}

func (a *act) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Error(err)
	}
}

// image is a file that was there before. Format "" is qcow2, "raw" a plain file.
type image struct {
	name    string
	size    int64
	cluster int64
	version int
	format  string
}

const imageDir = "/var/lib/fleece/"

func makeImages(t *testing.T, h host.Host, images []image) {
	for _, i := range images {
		var err error
		if i.format == "raw" {
			err = makeFile(h, imageDir+i.name, i.size)
		} else {
			err = sim.CreateImage(h, imageDir+i.name, i.size, i.cluster, max(i.version, 2))
		}
		if err != nil {
			t.Error(i.name, ": ", err)
		}
	}
}

func makeFile(h host.Host, name string, size int64) error {
	f, err := h.OpenFile(name, host.ReadWrite|host.Create, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// replayer executes recordings one after the other on one host.
type replayer struct {
	t *testing.T
	w *simrt.World
	k *memhost.Kernel
}

// inReplayer runs f with a host that has the directories of the recordings.
func inReplayer(t *testing.T, f func(r *replayer)) {
	result := simrt.Run(simrt.Options{KeepLog: true}, func(w *simrt.World) {
		k := memhost.New(w.Kernel(), memhost.Options{})
		for _, dir := range []string{imageDir, "/run/fleece", "/tmp"} {
			if err := k.MkdirAll(dir); err != nil {
				t.Error(err)
				return
			}
		}
		f(&replayer{t, w, k})
	})
	if result.Failure != nil {
		t.Fatalf("%s: %s\n%s", result.Failure.Kind, result.Failure.Detail, result.Failure.Stack)
	}
}

// run executes every exchange at its recorded time and returns, for each, what came
// on its connection from when it was sent until the next was sent. The process dies
// at the end, as a killed one does; a recording that quit has closed its images.
func (r *replayer) run(rec recording, s stage) [][]qmp.Value {
	makeImages(r.t, r.k.View(r.w.Spec()), s.images)
	r.earlier(s)
	actual := make([][]qmp.Value, len(rec.exchanges))
	start := r.w.Now()
	p := r.w.NewProcess("qemu")
	_ = p.Call("qemu-main", func() {
		m, err := sim.New(p, r.k.View(p), specOf(r.t, rec.argv), s.opts)
		if err != nil {
			r.t.Error(err)
			return
		}
		a := &act{r.t, m, r.k.View(p), r.k, p}
		if s.begin != nil {
			s.begin(a)
		}
		clients := map[string]*client{}
		for i := range rec.exchanges {
			e := &rec.exchanges[i]
			c := clients[e.monitor]
			if c == nil {
				c = &client{m: m, actual: actual}
				clients[e.monitor] = c
			}
			sleepUntil(p, start.Add(e.sent))
			if f := s.acts[e.id()]; f != nil {
				f(a)
			}
			c.now = i
			sleepUntil(p, start.Add(e.done))
			if s.opts.Crash == sim.CrashDies {
				p.Go("client", func() { c.do(rec.translated(i, actual)) }) // it may never return
				p.Sleep(time.Microsecond)
				continue
			}
			c.do(rec.translated(i, actual))
		}
		if rec.signal {
			clients[""].now = len(rec.exchanges) - 1
			m.Terminate()
		}
		p.Sleep(time.Second)
	})
	p.Kill()
	return actual
}

// earlier runs the commands of the machine that was there before.
func (r *replayer) earlier(s stage) {
	if s.before == nil {
		return
	}
	p := r.w.NewProcess("earlier")
	_ = p.Call("qemu-main", func() {
		m, err := sim.New(p, r.k.View(p), machine.Spec{Name: "earlier", Paused: true}, s.opts)
		if err != nil {
			r.t.Error(err)
			return
		}
		mon := m.AddMonitor(func(v qmp.Value) {
			if e := v.Get("error"); e.Present() {
				r.t.Error("before the recording: ", e)
			}
		})
		for _, line := range append(append([]string{"qmp_capabilities"}, s.before...), "quit") {
			name, args, _ := strings.Cut(line, " ")
			cmd := qmp.Command{Name: name}
			if name == "qemu-io" {
				cmd.Name, cmd.Args = "human-monitor-command", qmp.Dict(qmp.M("command-line", qmp.Str(line)))
			} else if args != "" {
				if cmd.Args, err = qmp.Decode([]byte(args)); err != nil {
					r.t.Error(err)
				}
			}
			mon.Handle(cmd.Message(qmp.Value{}))
			p.Sleep(time.Second)
		}
	})
	p.Kill()
}

func sleepUntil(p rt.Process, at time.Time) {
	if d := at.Sub(p.Now()); d > 0 {
		p.Sleep(d)
	}
}

// client is a connection of the recording.
type client struct {
	m      *sim.Machine
	mon    *sim.Monitor
	actual [][]qmp.Value
	now    int
}

func (c *client) take(v qmp.Value) {
	if v.Present() {
		c.actual[c.now] = append(c.actual[c.now], v)
	}
}

func (c *client) do(e *exchange) {
	switch {
	case e.isConnect():
		if c.mon != nil {
			c.mon.Close()
		}
		c.mon = c.m.AddMonitor(c.take)
		c.take(c.m.Greeting())
	case e.command.Present():
		c.mon.Handle(e.command)
	default:
		c.raw(e.raw)
	}
}

// raw is the bytes of a client as the server's reader sees them.
func (c *client) raw(text string) {
	d := qmp.NewDecoder(strings.NewReader(text))
	for {
		v, err := d.Next()
		var syntax *qmp.SyntaxError
		switch {
		case errors.As(err, &syntax):
			c.mon.Refuse(syntax.Reply())
		case err != nil:
			return
		default:
			c.mon.Handle(v)
		}
	}
}

func compare(t *testing.T, rec recording, actual [][]qmp.Value, left map[string]string) {
	var want, got names
	differences := 0
	for i, e := range rec.exchanges {
		wantText := want.normalise(e.command, e.answers)
		gotText := got.normalise(e.command, rec.heard(i, actual[i]))
		reason, ok := left[e.id()]
		if !ok {
			reason, ok = left["#"+strconv.Itoa(i)]
		}
		if ok {
			t.Logf("left out %v: %s", e.command, reason)
			continue
		}
		if diff := cmp.Diff(wantText, gotText); diff != "" && !rec.metLater(i, gotText) {
			differences++
			if differences <= differencesShown {
				t.Errorf("exchange %d: %v %q (-recorded +simulated)\n%s", i, e.command, e.raw, diff)
			}
		}
	}
	if differences > 0 {
		t.Errorf("%d of %d exchanges differ", differences, len(rec.exchanges))
	}
}

const differencesShown = 8

// heard drops what came on a connection after its client had stopped to listen: the
// recording ends with another connection's messages.
func (r *recording) heard(i int, actual []qmp.Value) []qmp.Value {
	last := len(r.exchanges) - 1
	for _, e := range r.exchanges[i+1:] {
		if e.monitor == r.exchanges[i].monitor {
			return actual
		}
	}
	if r.exchanges[i].monitor == r.exchanges[last].monitor {
		return actual
	}
	return actual[:min(len(actual), len(r.exchanges[i].answers))]
}

// translated is the exchange with the generated node names of this run in place of the
// recorded ones.
func (r *recording) translated(i int, actual [][]qmp.Value) *exchange {
	e := r.exchanges[i]
	if !generated.MatchString(e.command.String()) {
		return &e
	}
	var want, got names
	for k := range i {
		want.normalise(r.exchanges[k].command, r.exchanges[k].answers)
		got.normalise(r.exchanges[k].command, actual[k])
	}
	text := generated.ReplaceAllStringFunc(e.command.String(), func(name string) string {
		if k := slices.Index(want.seen, name); k >= 0 && k < len(got.seen) {
			return got.seen[k]
		}
		return name
	})
	if v, err := qmp.Decode([]byte(text)); err == nil {
		e.command = v
	}
	return &e
}

// metLater is normalisation 9.
func (r *recording) metLater(i int, got []string) bool {
	name := r.exchanges[i].command.Get("execute").S()
	if name != "query-block-jobs" && name != "query-jobs" {
		return false
	}
	for _, k := range [...]int{i - 1, i + 1} {
		if k < 0 || k >= len(r.exchanges) || r.exchanges[k].command.Get("execute").S() != name {
			continue
		}
		var n names
		near := n.normalise(r.exchanges[k].command, r.exchanges[k].answers)
		id := func(k int) string { return `"` + r.exchanges[k].id() + `"` }
		if len(near) == 1 && len(got) == 1 && strings.Replace(near[0], id(k), id(i), 1) == got[0] {
			return true
		}
	}
	return false
}
