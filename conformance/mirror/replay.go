package mirror

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
	"fleece/rt/simrt"
	"fleece/sim"
)

// replayer executes sessions one after the other on one host.
type replayer struct {
	w        *simrt.World
	k        *memhost.Kernel
	problems []string // of the stage, not of the simulator
}

func (r *replayer) must(err error) {
	if err != nil {
		r.problems = append(r.problems, err.Error())
	}
}

// recordedDirs are the directories of the recordings' host.
func recordedDirs() []string { return []string{"/var/lib/fleece", "/run/fleece", "/tmp"} }

// inReplayer runs f in a fresh world; problems are returned as an error.
func inReplayer(f func(r *replayer)) error {
	var problems []string
	result := simrt.Run(simrt.Options{StepLimit: replayStepsMax}, func(w *simrt.World) {
		r := &replayer{w: w, k: memhost.New(w.Kernel(), memhost.Options{})}
		for _, dir := range recordedDirs() {
			r.must(r.k.MkdirAll(dir))
		}
		f(r)
		problems = r.problems
	})
	if result.Failure != nil {
		return fmt.Errorf("%s: %s", result.Failure.Kind, result.Failure.Detail)
	}
	if len(problems) > 0 {
		return fmt.Errorf("the session's stage cannot be set: %s", strings.Join(problems, "; "))
	}
	return nil
}

// replayStepsMax bounds the scheduling decisions of a replay.
const replayStepsMax = 50_000_000

// run executes every exchange at its recorded time and returns, for each, what came
// on its connection from when it was sent until the next was sent. The process dies
// at the end, as a killed one does; a session that quit has closed its images.
func (r *replayer) run(rec *Recording, s stage) [][]qmp.Value {
	for _, i := range s.images {
		r.must(r.k.MkdirAll(path.Dir(i.Path)))
		r.must(i.Make(r.k.View(r.w.Spec())))
	}
	r.earlier(s)
	actual := make([][]qmp.Value, len(rec.exchanges))
	start := r.w.Now()
	p := r.w.NewProcess("qemu")
	_ = p.Call("qemu-main", func() {
		m, err := sim.New(p, r.k.View(p), rec.spec, s.opts)
		if err != nil {
			r.must(err)
			return
		}
		a := &act{r: r, m: m, h: r.k.View(p), p: p}
		if s.filled {
			r.fill(m, rec.spec.Devices)
		}
		clients := map[string]*client{}
		for i := range rec.exchanges {
			r.step(rec, s, a, clients, actual, start, i)
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

// fill writes the first disk all over.
func (r *replayer) fill(m *sim.Machine, devices []machine.Device) {
	const piece = 1 << 20
	if len(devices) == 0 {
		return
	}
	data := slices.Repeat([]byte{1}, piece)
	for off := int64(0); m.GuestWrite(devices[0].ID, off, data) == nil; off += piece {
	}
}

// step is one exchange.
func (r *replayer) step(rec *Recording, s stage, a *act, clients map[string]*client, actual [][]qmp.Value, start time.Time, i int) {
	e := &rec.exchanges[i]
	c := clients[e.monitor]
	if c == nil {
		c = &client{m: a.m, actual: actual}
		clients[e.monitor] = c
	}
	sleepUntil(a.p, start.Add(e.sent))
	a.note(e.note)
	if p := rec.formatted(i); p != "" {
		a.empty(p)
	}
	if f := s.acts[e.id()]; f != nil {
		f(a)
	}
	c.now = i
	sleepUntil(a.p, start.Add(e.done))
	if s.opts.Crash == sim.CrashDies {
		a.p.Go("client", func() { c.do(rec.translated(i, actual)) }) // it may never return
		a.p.Sleep(time.Microsecond)
		return
	}
	c.do(rec.translated(i, actual))
}

// formatted is the file of a storage node that this exchange opens in order to format
// it later, "" for others: the client made it anew just before, as libvirt does.
func (r *Recording) formatted(i int) string {
	args := r.exchanges[i].command.Get("arguments")
	node := args.Get("node-name").S()
	if r.exchanges[i].command.Get("execute").S() != "blockdev-add" || args.Get("driver").S() != "file" || node == "" {
		return ""
	}
	for k := i + 1; k < len(r.exchanges); k++ {
		args := r.exchanges[k].command.Get("arguments")
		switch r.exchanges[k].command.Get("execute").S() {
		case "blockdev-create":
			if o := args.Get("options"); o.Get("driver").S() == "qcow2" && o.Get("file").S() == node {
				return r.exchanges[i].command.Get("arguments").Get("filename").S()
			}
		case "blockdev-add":
			return "" // it, or what was made already, is used
		}
	}
	return ""
}

// empty makes a file anew, if it is there.
func (a *act) empty(path string) {
	if _, err := a.h.Stat(path); err != nil {
		return
	}
	a.must(File{Path: path}.Make(a.h))
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
			r.must(err)
			return
		}
		mon := m.AddMonitor(func(v qmp.Value) {
			if e := v.Get("error"); e.Present() {
				r.must(fmt.Errorf("before the recording: %v", e))
			}
		})
		for _, line := range append(append([]string{"qmp_capabilities"}, s.before...), "quit") {
			name, args, _ := strings.Cut(line, " ")
			cmd := qmp.Command{Name: name}
			if name == "qemu-io" {
				cmd.Name, cmd.Args = "human-monitor-command", qmp.Dict(qmp.M("command-line", qmp.Str(line)))
			} else if args != "" {
				cmd.Args, err = qmp.Decode([]byte(args))
				r.must(err)
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
	reader *qmp.Decoder // of bytes that are no message, which may be cut anywhere
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
		c.mon, c.reader = c.m.AddMonitor(c.take), nil
		c.take(c.m.Greeting())
	case c.mon == nil:
		// A recording without a greeting: the client is there already.
		c.mon = c.m.AddMonitor(c.take)
		c.do(e)
	case e.command.Present():
		c.mon.Handle(e.command)
	default:
		c.raw(e.raw)
	}
}

// raw is the bytes of a client as the server's reader sees them.
func (c *client) raw(text string) {
	if c.reader == nil {
		c.reader = qmp.NewFeedDecoder()
	}
	c.reader.Feed([]byte(text))
	for {
		v, ok, err := c.reader.Take()
		var syntax *qmp.SyntaxError
		switch {
		case !ok:
			return
		case errors.As(err, &syntax):
			c.mon.Refuse(syntax.Reply())
		default:
			c.mon.Handle(v)
		}
	}
}

// translated is the exchange with the generated node names of this run in place of the
// recorded ones.
func (r *Recording) translated(i int, actual [][]qmp.Value) *exchange {
	e := r.exchanges[i]
	if !generated().MatchString(e.command.String()) {
		return &e
	}
	var want, got Names
	for k := range i {
		want.Normalise(r.exchanges[k].command, r.exchanges[k].answers)
		got.Normalise(r.exchanges[k].command, actual[k])
	}
	text := generated().ReplaceAllStringFunc(e.command.String(), func(name string) string {
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

// act is what an actor of the recording other than its client may use.
type act struct {
	r *replayer
	m *sim.Machine
	h host.Host
	p rt.Process
	// nbd is the NBD client of the notes.
	nbd nbdActor
}

func (a *act) must(err error) { a.r.must(err) }
