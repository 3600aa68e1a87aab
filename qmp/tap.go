package qmp

import (
	"slices"
	"time"

	"fleece/rt"
)

// tapPendingMax bounds the commands whose reply a tap still waits for; it
// forgets the oldest beyond that.
const tapPendingMax = 1024

// TapOptions name a tap and say who gets what passes.
type TapOptions struct {
	// Name is the stem of the names of its lock; the default is "tap".
	Name string
	// Monitor is put into the recorded lines; "" if there is one connection.
	Monitor string
	// Record gets every message in order: commands as the server gets them,
	// replies and events as the server sent them. It must not block.
	Record func(Line)
}

// Tap is a Conn on top of the client's end of another: it sees every message of
// both directions, can record them, and disturbs them by rules. Without rules
// and recorder it is transparent.
type Tap struct {
	r     rt.Runtime
	inner Conn
	opts  TapOptions
	start time.Time
	mu    rt.Mutex // a leaf: nothing below blocks

	// Below is protected by mu.
	rules    []*armedRule
	pending  []tapCommand // without a reply yet, oldest first
	received []Value      // to be returned by Recv before anything else
}

// armedRule is a rule with how often it has matched.
type armedRule struct {
	Rule
	hits int
}

// tapCommand is a command that passed.
type tapCommand struct {
	id     Value
	name   string
	answer Value // what is returned instead of the reply; absent as a rule
}

var _ Conn = (*Tap)(nil)

// NewTap puts a tap on c.
func NewTap(r rt.Runtime, c Conn, opts TapOptions) *Tap {
	if opts.Name == "" {
		opts.Name = "tap"
	}
	return &Tap{r: r, inner: c, opts: opts, start: r.Now(), mu: rt.NewLeafMutex(r, opts.Name)}
}

// Add adds rules behind those that are there; remove takes them out again.
func (t *Tap) Add(rules ...Rule) (remove func()) {
	added := make([]*armedRule, len(rules))
	for i := range rules {
		added[i] = &armedRule{Rule: rules[i]}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules = append(slices.Clip(t.rules), added...)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.rules = slices.DeleteFunc(slices.Clone(t.rules), func(r *armedRule) bool {
			return slices.Contains(added, r)
		})
	}
}

// Send passes a command through the rules and on to the server.
func (t *Tap) Send(m Value) error {
	command := m.Get("execute").S()
	if !t.concerned(FromClient, m, command) {
		t.passing(m)
		return t.inner.Send(m)
	}
	for _, out := range t.apply(FromClient, m, command) {
		t.passing(out)
		if err := t.inner.Send(out); err != nil {
			return err
		}
	}
	return nil
}

// Recv returns the next message of the server that the rules let pass.
func (t *Tap) Recv() (Value, error) {
	for {
		if m, ok := t.nextReceived(); ok {
			return m, nil
		}
		m, err := t.inner.Recv()
		if err != nil {
			return Value{}, err
		}
		m, command := t.arrived(m)
		if !t.concerned(FromServer, m, command) {
			return m, nil
		}
		out := t.apply(FromServer, m, command)
		if len(out) == 0 {
			continue
		}
		if len(out) > 1 {
			t.mu.Lock()
			t.received = append(t.received, out[1:]...)
			t.mu.Unlock()
		}
		return out[0], nil
	}
}

// Close closes the connection below.
func (t *Tap) Close() error { return t.inner.Close() }

func (t *Tap) nextReceived() (Value, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.received) == 0 {
		return Value{}, false
	}
	m := t.received[0]
	t.received = t.received[1:]
	return m, true
}

// passing notes a message on its way to the server.
func (t *Tap) passing(m Value) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.record(FromClient, m)
	name, isCommand := m.Get("execute").Text()
	id := m.Get("id")
	if !isCommand || !id.Present() || t.find(id) >= 0 {
		return
	}
	t.remember(tapCommand{id: id, name: name})
}

// remember runs with mu held.
func (t *Tap) remember(c tapCommand) {
	if len(t.pending) == tapPendingMax {
		t.pending = slices.Delete(t.pending, 0, 1)
	}
	t.pending = append(t.pending, c)
}

// arrived notes a message of the server and tells which command it answers. It
// exchanges the reply of a command that a rule answers.
func (t *Tap) arrived(m Value) (Value, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.record(FromServer, m)
	if !isReply(m) {
		return m, ""
	}
	i := t.find(m.Get("id"))
	if i < 0 {
		return m, ""
	}
	c := t.pending[i]
	t.pending = slices.Delete(t.pending, i, i+1)
	if c.answer.Present() {
		m = c.answer
	}
	return m, c.name
}

// find runs with mu held; -1 if no such command is pending.
func (t *Tap) find(id Value) int {
	return slices.IndexFunc(t.pending, func(c tapCommand) bool { return c.id.Equal(id) })
}

// record runs with mu held.
func (t *Tap) record(dir Direction, m Value) {
	if t.opts.Record != nil {
		t.opts.Record(Line{Dir: dir, Message: m, At: t.r.Now().Sub(t.start), Monitor: t.opts.Monitor})
	}
}

// concerned reports whether any rule is about the message: most messages pass a
// tap untouched, and quickly.
func (t *Tap) concerned(dir Direction, m Value, command string) bool {
	t.mu.Lock()
	rules := t.rules
	t.mu.Unlock()
	return slices.ContainsFunc(rules, func(r *armedRule) bool { return r.matches(dir, m, command) })
}

// apply passes a message through all rules; the result is what goes on.
func (t *Tap) apply(dir Direction, m Value, command string) []Value {
	t.mu.Lock()
	rules := t.rules
	t.mu.Unlock()
	if len(rules) == 0 {
		return []Value{m}
	}
	var before, after []Value
	for _, r := range rules {
		if !t.hit(r, dir, m, command) {
			continue
		}
		t.r.Note("qmp-tap", t.opts.Name, command, m)
		if r.Delay > 0 {
			t.r.Sleep(r.Delay)
		}
		if r.Hold != nil {
			r.Hold(m)
		}
		before, after = append(before, r.Before...), append(after, r.After...)
		if r.Drop {
			return append(before, after...)
		}
		if r.Replace != nil {
			m = r.Replace(m)
		}
		if r.Answer != nil && dir == FromClient {
			m = t.answer(m, r.Answer(m))
		}
	}
	return append(append(before, m), after...)
}

// hit counts a match and tells whether the rule acts on it.
func (t *Tap) hit(r *armedRule, dir Direction, m Value, command string) bool {
	if !r.matches(dir, m, command) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.hits++
	return r.Nth == 0 || r.Nth == r.hits
}

// answer remembers the answer to a command and returns what the server gets.
func (t *Tap) answer(request, reply Value) Value {
	id := request.Get("id")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remember(tapCommand{id: id, name: request.Get("execute").S(), answer: reply.With("id", id)})
	return Dict(M("execute", Str("query-version")), M("id", id))
}
