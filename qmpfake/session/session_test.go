package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"fleece/explore"
	"fleece/machine"
	"fleece/qmp"
	"fleece/qmpfake/session"
	"fleece/rt/simrt"
)

// player is a source that plays inputs, each as soon as it is time for it, and an
// output that keeps everything.
type player struct {
	inputs []session.Input
	until  time.Duration // the session's end, if the machine has not quit before
	// read says whether the clients read: else nothing is ever drained.
	read bool

	out    [session.MonitorsMax][]byte
	closed [session.MonitorsMax]int
	taken  int
	full   []int
	prints []string
	quit   bool
}

func (p *player) Next(now, next time.Duration, listening bool) (session.Input, bool) {
	if !listening {
		return session.Input{}, false
	}
	if len(p.full) > 0 {
		mon := p.full[0]
		p.full = p.full[1:]
		return p.give(session.Input{Kind: session.Drained, Monitor: mon}, now, next)
	}
	if len(p.inputs) > 0 {
		in := p.inputs[0]
		in.At = max(in.At, now)
		if next >= 0 && in.At >= next {
			return session.Input{}, false
		}
		p.inputs = p.inputs[1:]
		return in, true
	}
	if next >= 0 && next < p.until && !p.quit {
		return session.Input{}, false
	}
	return p.give(session.Input{Kind: session.End}, now, next)
}

// give gives an input at once, or after the timer that is due.
func (p *player) give(in session.Input, now, next time.Duration) (session.Input, bool) {
	in.At = now
	return in, next != now
}

func (p *player) Write(n int, data []byte) { p.out[n] = append(p.out[n], data...) }
func (p *player) Taken(int)                { p.taken++ }
func (p *player) Closed(n int)             { p.closed[n]++ }
func (p *player) Ready()                   {}
func (p *player) Print(line string)        { p.prints = append(p.prints, line) }
func (p *player) Quit()                    { p.quit = true }
func (p *player) Full(n int) {
	if p.read {
		p.full = append(p.full, n)
	}
}

// replies are the messages to a monitor.
func (p *player) replies(t *testing.T, n int) []qmp.Value {
	t.Helper()
	var all []qmp.Value
	d := qmp.NewDecoder(bytes.NewReader(p.out[n]))
	for {
		v, err := d.Next()
		if err != nil {
			return all
		}
		all = append(all, v)
	}
}

// show gives each message of a monitor in a few letters.
func (p *player) show(t *testing.T, n int) string {
	t.Helper()
	var all []string
	for _, m := range p.replies(t, n) {
		e, isEvent := qmp.ParseEvent(m)
		_, isGreeting := qmp.ParseGreeting(m)
		switch {
		case isGreeting:
			all = append(all, "greeting")
		case isEvent:
			all = append(all, e.Name)
		case m.Get("error").Present():
			all = append(all, m.Get("error").Get("desc").S())
		default:
			all = append(all, fmt.Sprint("return", m.Get("id").TextOr("")))
		}
	}
	return strings.Join(all, ", ")
}

func parse(text string) qmp.Value {
	v, err := qmp.Decode([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

// disk is a machine with one disk.
func disk() machine.Spec {
	return machine.Spec{Name: "vm", Paused: true, Nodes: []qmp.Value{
		parse(`{"driver":"file","filename":"/d","node-name":"ds"}`), parse(`{"driver":"qcow2","file":"ds","node-name":"d"}`),
	}, Devices: []machine.Device{{Driver: "virtio-blk-pci", ID: "virtio-disk0", Drive: "d"}}}
}

func setup(monitors int) session.Setup {
	return session.Setup{
		Begin: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Monitors: monitors, HostBytes: 64 << 20,
		Machine: disk(), Images: []session.Image{{Path: "/d", Format: "qcow2", Size: 64 << 20}}, Dirs: []string{"/tmp"},
	}
}

func connect(n int) session.Input { return session.Input{Kind: session.Connect, Monitor: n} }
func hangup(n int) session.Input  { return session.Input{Kind: session.Hangup, Monitor: n} }
func eof(n int) session.Input     { return session.Input{Kind: session.EOF, Monitor: n} }
func says(n int, text string) session.Input {
	return session.Input{Kind: session.Data, Monitor: n, Data: []byte(text)}
}

const negotiate = `{"execute":"qmp_capabilities"}`

// play runs a session to its end.
func play(t *testing.T, p *player, s session.Setup) *player {
	t.Helper()
	if err := session.Run(session.Options{Setup: s, Source: p, Output: p, Chooser: chooser(s.Seed)}); err != nil {
		t.Fatal(err)
	}
	return p
}

func chooser(seed uint64) simrt.Chooser {
	if seed == 0 {
		return nil
	}
	r := explore.NewRandom()
	r.Begin(seed)
	return r
}

func TestAClientThatLeavesTakesItsUnfinishedInputWithIt(t *testing.T) {
	p := play(t, &player{inputs: []session.Input{
		connect(0), says(0, negotiate+`{"execute":"query-sta`), hangup(0),
		connect(0), says(0, negotiate), eof(0),
	}}, setup(1))
	const want = "greeting, return, greeting, return"
	if got := p.show(t, 0); got != want {
		t.Errorf("got %s", got)
	}
	if p.closed[0] != 2 {
		t.Errorf("closed %d times", p.closed[0])
	}
}

func TestAHalfClosedClientIsAnsweredBeforeItsSessionEnds(t *testing.T) {
	p := play(t, &player{inputs: []session.Input{
		connect(0), says(0, negotiate+`{"execute":"query-status","id":"7"}{"exec`), eof(0),
	}}, setup(1))
	if got := p.show(t, 0); got != "greeting, return, return7" || p.closed[0] != 1 {
		t.Errorf("got %s, closed %d times", got, p.closed[0])
	}
}

func TestEventsGoToWhoNegotiatedAndAreNotKeptForAnybody(t *testing.T) {
	p := play(t, &player{inputs: []session.Input{
		connect(0), says(0, negotiate), connect(1),
		says(0, `{"execute":"cont"}`), says(1, negotiate), says(0, `{"execute":"stop"}`), eof(1), eof(0), connect(2), eof(2),
	}}, setup(3))
	for n, want := range []string{"greeting, return, RESUME, return, STOP, return", "greeting, return, STOP", "greeting"} {
		if got := p.show(t, n); got != want {
			t.Errorf("monitor %d: %s", n, got)
		}
	}
}

func TestAClientWhoReadsNothingIsNotServedOnAndDisturbsNobody(t *testing.T) {
	const commands = 3000 // of a kilobyte each
	many := negotiate + strings.Repeat(`{"execute":"query-named-block-nodes"}`, commands)
	p := play(t, &player{inputs: []session.Input{
		connect(0), says(0, many),
		connect(1), says(1, negotiate), says(1, `{"execute":"query-status","id":"x"}`), eof(1),
	}}, setup(2))
	if got := p.show(t, 1); got != "greeting, return, returnx" {
		t.Errorf("the other client: %s", got)
	}
	got := len(p.replies(t, 0)) - 2
	if n := len(p.out[0]); got >= commands || n > 1<<20+8<<10 {
		t.Errorf("%d commands were executed for one who reads nothing, %d bytes wait", got, n)
	}
	if p.taken != 2 { // those of monitor 1
		t.Errorf("%d pieces were taken", p.taken)
	}
	p = play(t, &player{read: true, inputs: []session.Input{
		connect(0), says(0, many), eof(0),
	}}, setup(2))
	if got := len(p.replies(t, 0)) - 2; got != commands || p.closed[0] != 1 {
		t.Errorf("%d of %d commands were executed for one who reads, closed %d times", got, commands, p.closed[0])
	}
}

func TestAClientWhoLetsEventsPileUpIsCutOff(t *testing.T) {
	const eventBytes = 70 // at least, of STOP or RESUME
	const rounds = 64 << 20 / eventBytes / 2 / 100
	inputs := []session.Input{connect(0), says(0, negotiate), connect(1), says(1, negotiate)}
	for range rounds {
		inputs = append(inputs, says(1, strings.Repeat(`{"execute":"cont"}{"execute":"stop"}`, 100)))
	}
	inputs = append(inputs, eof(1))
	p := &player{inputs: inputs}
	counted := &counter{player: p}
	if err := session.Run(session.Options{Setup: setup(2), Source: p, Output: counted}); err != nil {
		t.Fatal(err)
	}
	if counted.bytes[0] < 60<<20 || counted.bytes[0] > 64<<20 || p.closed[0] != 1 {
		t.Errorf("%d bytes wait, closed %d times", counted.bytes[0], p.closed[0])
	}
	if counted.bytes[1] < rounds*100*2*eventBytes || p.closed[1] != 1 {
		t.Errorf("the client that reads got %d bytes, closed %d times", counted.bytes[1], p.closed[1])
	}
}

// counter keeps no output, only its length; monitor 1 reads.
type counter struct {
	*player
	bytes [2]int
}

func (c *counter) Write(n int, data []byte) { c.bytes[n] += len(data) }
func (c *counter) Full(n int) {
	if n == 1 {
		c.full = append(c.full, n)
	}
}

func TestTheMachineEndsByQuitAndByTerminate(t *testing.T) {
	for name, inputs := range map[string][]session.Input{
		"host-qmp-quit": {connect(0), says(0, negotiate), connect(1), says(1, negotiate+`{"execute":"quit"}`)},
		"host-signal":   {connect(0), says(0, negotiate), {Kind: session.Terminate}},
	} {
		p := play(t, &player{inputs: inputs, until: time.Hour}, setup(2))
		if !p.quit || p.closed[0] != 1 || !strings.Contains(string(p.out[0]), name) || !strings.HasSuffix(p.show(t, 0), "return, SHUTDOWN") {
			t.Errorf("%s: quit %v, closed %d times: %s", name, p.quit, p.closed[0], p.show(t, 0))
		}
	}
	if p := play(t, &player{inputs: []session.Input{{Kind: session.Terminate}}}, setup(1)); !p.quit {
		t.Error("a machine without clients did not end")
	}
}

func TestANumberBeyondDoublesIsEchoedAsQEMUDoes(t *testing.T) {
	p := play(t, &player{inputs: []session.Input{connect(0), says(0, `{"execute":"qmp_capabilities","id":[1e999,-1e999]}`), eof(0)}}, setup(1))
	if !bytes.HasSuffix(p.out[0], []byte(`{"return": {}, "id": [inf, -inf]}`+"\r\n")) {
		t.Errorf("%s", p.out[0])
	}
}

func TestGuestWritesGoThroughQemuIO(t *testing.T) {
	p := play(t, &player{inputs: []session.Input{
		connect(0), says(0, negotiate+`{"execute":"block-dirty-bitmap-add","arguments":{"node":"d","name":"b","granularity":65536}}`),
		says(0, `{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io -d virtio-disk0/virtio-backend \"write -P 7 64k 64k\""}}`),
		says(0, `{"execute":"query-named-block-nodes","arguments":{"flat":true}}`), eof(0),
	}}, setup(1))
	replies := p.replies(t, 0)
	last := replies[len(replies)-1].Get("return")
	if !strings.Contains(last.String(), `"count": 65536`) {
		t.Errorf("no dirty granule: %v", last)
	}
	if !slices.Equal(p.prints, []string{"wrote 65536/65536 bytes at offset 65536"}) {
		t.Errorf("stdout: %q", p.prints)
	}
}

func TestAMachineThatCannotStartSaysWhatQEMUSays(t *testing.T) {
	s := setup(1)
	s.Images = nil
	err := session.Run(session.Options{Setup: s, Source: &player{}, Output: &player{}})
	var start *session.StartError
	if !errors.As(err, &start) || !strings.Contains(err.Error(), "Could not open '/d': No such file or directory") {
		t.Errorf("%v", err)
	}
}

func TestARecordThatCannotBeWrittenEndsTheSession(t *testing.T) {
	full := errors.New("no space left on device")
	lines := 0
	p := &player{until: time.Hour, inputs: []session.Input{connect(0), says(0, negotiate), says(0, `{"execute":"query-status"}`)}}
	err := session.Run(session.Options{Setup: setup(1), Source: p, Output: p, Record: func([]byte) error {
		if lines++; lines > 3 {
			return full
		}
		return nil
	}})
	if !errors.Is(err, full) || len(p.inputs) == 0 {
		t.Errorf("%v; %d inputs are left", err, len(p.inputs))
	}
}

func TestAMachineDiesWhereTheRealBinaryDoesIfItShould(t *testing.T) {
	s := setup(2)
	for _, s.Dies = range []bool{false, true} {
		p := &player{inputs: []session.Input{
			connect(0), says(0, negotiate), connect(1), says(1, negotiate),
			says(0, `{"execute":"blockdev-reopen","arguments":{"options":[]}}`), says(1, `{"execute":"query-status","id":"alive"}`),
		}}
		var record bytes.Buffer
		err := session.Run(session.Options{Setup: s, Source: p, Output: p, Record: func(line []byte) error { record.Write(line); return nil }})
		if errors.Is(err, session.ErrDied) != s.Dies || !s.Dies && err != nil {
			t.Errorf("dies %v: %v", s.Dies, err)
		}
		if answered := strings.HasSuffix(p.show(t, 1), "alive"); answered == s.Dies || p.quit != s.Dies {
			t.Errorf("dies %v: quit %v, the second client got %s", s.Dies, p.quit, p.show(t, 1))
		}
		r, err := session.Replay(&record, session.ReplayOptions{})
		if err != nil || r.Difference != nil || r.Died != s.Dies {
			t.Errorf("dies %v: %+v, %v", s.Dies, r, err)
		}
	}
}

// comers is a source of clients that come, send something and leave; after few and
// after many of them it looks at the heap.
type comers struct {
	player
	n    int
	heap []uint64
}

const (
	fewComers  = 1000
	manyComers = 10 * fewComers
	// inputsOfComer are Connect, Data and Hangup.
	inputsOfComer = 3
)

func (c *comers) Next(now, _ time.Duration, _ bool) (session.Input, bool) {
	if c.n == fewComers*inputsOfComer || c.n == manyComers*inputsOfComer {
		c.out[0] = nil
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // the second empties pools
		runtime.ReadMemStats(&m)
		c.heap = append(c.heap, m.HeapAlloc)
	}
	in := session.Input{At: now, Kind: session.Connect}
	switch {
	case c.n == manyComers*inputsOfComer:
		in.Kind = session.End
	case c.n%inputsOfComer == 1:
		in.Kind, in.Data = session.Data, fmt.Appendf(nil, `%s{"execute":"blockdev-add","arguments":{"driver":"file","filename":"/no/%d","node-name":"n%d"}}{"exec`, negotiate, c.n, c.n)
	case c.n%inputsOfComer == 2:
		in.Kind = session.Hangup
	}
	c.n++
	return in, true
}

func TestASessionKeepsNothingOfClientsThatHaveLeft(t *testing.T) {
	c := &comers{}
	if err := session.Run(session.Options{Setup: session.Setup{Monitors: 1, HostBytes: 1 << 20}, Source: c, Output: c}); err != nil {
		t.Fatal(err)
	}
	const perClient = 10 // bytes that are noise
	if c.closed[0] != manyComers || c.heap[1] > c.heap[0]+manyComers*perClient {
		t.Errorf("%d clients were served; the heap grew from %d to %d bytes", c.closed[0], c.heap[0], c.heap[1])
	}
}
