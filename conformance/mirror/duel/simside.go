package duel

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fleece/conformance/mirror/walk"
	"fleece/host"
	"fleece/host/memhost"
	"fleece/qmp"
	"fleece/rt"
	"fleece/rt/simrt"
	"fleece/sim"
)

// standstill is longer than any job of a session works; a stalled one stays stalled.
const standstill = time.Second

// stepsMax bounds the scheduling decisions of a session.
const stepsMax = 20_000_000

// simulate runs a session on the simulator. A step that kills the real binary is not sent
// to it: the session begins again without that step, so that nothing of it is left, and
// goes on.
func simulate(s walk.Setup, schema *qmp.Schema, next source) Run {
	var kept []walk.Step
	drawn := 0
	for {
		run, crashed := attempt(s, schema, func(i int, look func() walk.View) (walk.Step, bool) {
			if i < len(kept) {
				return kept[i], true
			}
			drawn++
			return next(drawn-1, look)
		})
		if !crashed {
			return run
		}
		kept = kept[:0]
		for _, t := range run.Turns {
			kept = append(kept, t.Step)
		}
	}
}

// attempt runs a session until it ends or a step kills the real binary.
func attempt(s walk.Setup, schema *qmp.Schema, next source) (run Run, crashed bool) {
	result := simrt.Run(simrt.Options{StepLimit: stepsMax}, func(w *simrt.World) {
		k := memhost.New(w.Kernel(), memhost.Options{})
		if err := errors.Join(k.MkdirAll(s.Dir), makeFiles(k.View(w.Spec()), s)); err != nil {
			run.Trouble = err.Error()
			return
		}
		p := w.NewProcess("qemu")
		_ = p.Call("qemu-main", func() {
			m, err := sim.New(p, k.View(p), s.Spec, sim.Options{Schema: schema, Crashed: func() { crashed = true }})
			if err != nil {
				run.Trouble = err.Error()
				return
			}
			c := newClient(p, m)
			for i := 0; ; i++ {
				step, ok := next(i, c.look)
				if !ok {
					break
				}
				t := c.turn(len(run.Turns), step)
				if crashed {
					return
				}
				run.Turns = append(run.Turns, t)
			}
			run.Files = describe(k.View(p), s)
		})
	})
	if f := result.Failure; f != nil {
		run.Trouble = fmt.Sprintf("the simulator: %s: %s", f.Kind, f.Detail)
	}
	return run, crashed && run.Trouble == ""
}

// client is the session's connection, and one that only looks.
type client struct {
	p         rt.Process
	m         *sim.Machine
	mon, eye  *sim.Monitor
	answers   []qmp.Value
	seen      qmp.Value
	questions [4]qmp.Value
}

func newClient(p rt.Process, m *sim.Machine) *client {
	c := &client{p: p, m: m}
	c.mon = m.AddMonitor(func(v qmp.Value) {
		if v.Present() {
			c.answers = append(c.answers, v)
		}
	})
	c.eye = m.AddMonitor(func(v qmp.Value) {
		if r := v.Get("return"); r.Present() {
			c.seen = r
		}
	})
	c.eye.Handle(negotiate().Message("eye"))
	for i, q := range [...]string{"query-named-block-nodes", "query-jobs", "query-block-exports", "query-status"} {
		cmd := qmp.Command{Name: q}
		if i == 0 {
			cmd.Args = qmp.Dict(qmp.M("flat", qmp.Bool(true)))
		}
		c.questions[i] = cmd.Message(qmp.Value{})
	}
	return c
}

func negotiate() walk.Step { return walk.Step{Command: qmp.Command{Name: "qmp_capabilities"}} }

func (c *client) ask(q qmp.Value) qmp.Value {
	c.seen = qmp.Value{}
	c.eye.Handle(q)
	return c.seen
}

func (c *client) look() walk.View {
	var a [4]qmp.Value
	for i, q := range c.questions {
		a[i] = c.ask(q)
	}
	return walk.Look(a[0], a[1], a[2], a[3])
}

// turn executes one step and waits for what it set off.
func (c *client) turn(i int, step walk.Step) Turn {
	c.answers = nil
	if step.Raw != "" {
		c.raw(step.Raw)
	} else {
		c.mon.Handle(step.Message(id(i)))
	}
	t := Turn{Step: step}
	jobs := c.ask(c.questions[1])
	if t.Busy = step.Raw != "" || step.Exec != "" || len(jobs.Items()) > 0 || len(c.answers) != 1; t.Busy && !c.m.Gone() {
		c.p.Sleep(standstill)
		t.Jobs = [2]qmp.Value{c.ask(c.questions[1]), c.ask(qmp.Command{Name: "query-block-jobs"}.Message(qmp.Value{}))}
	}
	t.Answers = c.answers
	return t
}

// raw is bytes as the server's reader sees them.
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

func id(i int) string { return fmt.Sprintf("s-%d", i) }

// makeFiles makes the images of a session, empty.
func makeFiles(h host.Host, s walk.Setup) error {
	for _, f := range s.Files {
		if err := fileAt(s.Dir, f).Make(h); err != nil {
			return err
		}
	}
	return nil
}
