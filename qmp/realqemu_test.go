package qmp

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// asked is a real QEMU without a machine, to be asked what it says.
type asked struct {
	t    *testing.T
	conn net.Conn
	in   *Decoder
}

// askQEMU starts QEMU 7.2, or skips the test where there is none.
func askQEMU(t *testing.T) *asked {
	t.Helper()
	if testing.Short() {
		t.Skip("asks a real QEMU thousands of questions")
	}
	path, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("no qemu-system-x86_64 here")
	}
	dir, err := os.MkdirTemp("", "fleece-qmp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// QEMU inherits a listening socket, so there is no waiting for it to start.
	l, err := net.Listen("unix", filepath.Join(dir, "q"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := exec.Command(path, "-machine", "none", "-nodefaults", "-display", "none", "-S", "-accel", "tcg",
		"-chardev", "socket,id=m,path="+l.Addr().String(), "-mon", "chardev=m,mode=control")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	_ = l.(*net.UnixListener).SetDeadline(time.Now().Add(time.Minute))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	q := &asked{t, conn, NewDecoder(conn)}
	greeting, err := q.in.Next()
	if err != nil {
		t.Fatal(err)
	}
	if g, _ := ParseGreeting(greeting); g.Major != 7 || g.Minor != 2 {
		t.Skipf("this is QEMU %d.%d, the schema is that of 7.2", g.Major, g.Minor)
	}
	enable := Dict(M("enable", List(Str("oob"))))
	q.say(Encode(Command{"qmp_capabilities", enable}.Message(Value{})))
	q.hear()
	return q
}

func (q *asked) say(data []byte) {
	if _, err := q.conn.Write(data); err != nil {
		q.t.Fatal(err)
	}
}

// hear returns the next reply.
func (q *asked) hear() Value {
	for {
		m, err := q.in.Next()
		if err != nil {
			q.t.Fatal(err)
		}
		if isReply(m) {
			return m
		}
	}
}

// probes makes faulty arguments for everything that a schema can say. None of
// them can be executed: each has a member that is unexpected, if nothing else.
type probes struct {
	seen map[*dataType]bool
	out  []Value
}

const unexpectedName = "zzz-unexpected"

// wrongs are tried for every member.
var wrongs = []Value{
	Null(), Bool(true), Int(-1), Int(1), Int(1 << 20), Int(1 << 40), Int(-1 << 40), Uint(1 << 63), Uint(1<<64 - 1),
	Float(1.5), Str("x"), List(), Dict(), List(Int(-1)), List(Str("x")), List(Null()), Dict(M("a", Int(1)), M("b", Int(1))),
}

func (p *probes) add(args Value) { p.out = append(p.out, args.With(unexpectedName, Int(1))) }

// walk probes type t; place puts a value of t into arguments.
func (p *probes) walk(t *dataType, place func(Value) Value) {
	if p.seen[t] {
		return
	}
	p.seen[t] = true
	switch t.kind {
	case typeArray:
		p.walk(t.element, func(v Value) Value { return place(List(v)) })
	case typeAlternate:
		for _, choice := range t.choices {
			if choice != nil {
				p.walk(choice, place)
			}
		}
	case typeObject:
		p.members(t, func() Value { return least(t) }, place)
		for _, c := range t.cases {
			base := func() Value { return withCase(t, c) }
			p.add(place(base()))
			if !p.seen[c.typ] {
				p.seen[c.typ] = true
				p.members(c.typ, base, place)
			}
		}
	}
}

func (p *probes) members(t *dataType, base func() Value, place func(Value) Value) {
	for _, m := range t.members {
		p.add(place(base().With(m.name, Value{})))
		for _, wrong := range wrongs {
			p.add(place(base().With(m.name, wrong)))
		}
		p.walk(m.typ, func(v Value) Value { return place(base().With(m.name, v)) })
	}
	p.add(place(base().With("one", Int(1)).With("two", Int(2)).With("three", Int(3))))
}

// least is a value of type t with nothing that may be left out.
func least(t *dataType) Value {
	switch t.kind {
	case typeBool:
		return Bool(true)
	case typeString, typeAny:
		return Str("x")
	case typeNull:
		return Null()
	case typeEnum:
		return Str(t.values[0])
	case typeArray:
		return List()
	case typeAlternate:
		for _, kind := range []Kind{KindString, KindDict, KindNull} {
			if t.choices[kind] != nil {
				return least(t.choices[kind])
			}
		}
	case typeObject:
		if len(t.cases) > 0 {
			return withCase(t, t.cases[0])
		}
		return leastMembers(t, Dict())
	}
	return Int(1)
}

func leastMembers(t *dataType, v Value) Value {
	for _, m := range t.members {
		if !m.optional {
			v = v.With(m.name, least(m.typ))
		}
	}
	return v
}

func withCase(t *dataType, c caseType) Value {
	v := leastMembers(t, Dict()).With(t.members[t.tag].name, Str(c.value))
	return leastMembers(c.typ, v)
}

// batchSize is how many questions are asked before the answers are read; small
// enough for both to fit the socket's buffers.
const batchSize = 64

func TestCheck_SaysWhatQEMUSaysAboutEveryArgumentOfEveryCommand(t *testing.T) {
	t.Parallel()
	s, q := loadSchema(t), askQEMU(t)
	seen := map[*dataType]bool{}
	asked, different := 0, 0
	for _, name := range s.Commands() {
		c := s.commands[name]
		if c.unchecked {
			continue
		}
		p := probes{seen: seen}
		p.walk(c.args, func(v Value) Value { return v })
		for batch := range slices.Chunk(append(p.out, Dict(M(unexpectedName, Int(1)))), batchSize) {
			var data []byte
			for _, args := range batch {
				data = Append(data, Command{name, args}.Message(Value{}))
			}
			q.say(data)
			for _, args := range batch {
				want := q.hear().Get("error").Get("desc").S()
				bad := s.Check(Command{name, args})
				asked++
				if bad != nil && bad.Desc == want {
					continue
				}
				if different++; different <= 20 {
					t.Errorf("%s %v\ngot  %v\nwant %s", name, args, bad, want)
				}
			}
		}
	}
	if t.Logf("%d faulty arguments, %d verdicts differ", asked, different); asked < 10000 {
		t.Errorf("only %d faulty arguments", asked)
	}
}

func TestCheck_NamesTheSameOneOfSeveralUnexpectedMembersAsQEMU(t *testing.T) {
	t.Parallel()
	s, q := loadSchema(t), askQEMU(t)
	d := uint64(1)
	next := func(n uint64) uint64 {
		d = d*6364136223846793005 + 1442695040888963407
		return d >> 33 % n
	}
	for range 1500 {
		args := JobDismiss{ID: "j"}.Command().Args
		if next(2) == 0 {
			args = BlockdevBackup{Device: "a", JobID: "j", Target: "t", Sync: "full", AutoFinalize: True, AutoDismiss: False, Compress: True}.args()
		}
		for range 1 + next(20) {
			args = args.With(fmt.Sprintf("%c%x", 'a'+rune(next(26)), next(1<<(4*next(6)))), Int(1))
		}
		name := "job-dismiss"
		if args.Get("device").Present() {
			name = "blockdev-backup"
		}
		bad := s.Check(Command{name, args})
		if bad == nil {
			continue // nothing was added but names that exist
		}
		q.say(Encode(Command{name, args}.Message(Value{})))
		if want := q.hear().Get("error").Get("desc").S(); bad.Desc != want {
			t.Fatalf("%v\ngot  %s\nwant %s", args, bad.Desc, want)
		}
	}
}

func TestParseRequest_NamesTheSameFaultOfSeveralAsQEMU(t *testing.T) {
	t.Parallel()
	s, q := loadSchema(t), askQEMU(t)
	for _, members := range [][]Member{
		{M("foo", Int(1)), M("bar", Int(2)), M("execute", Str("query-status"))},
		{M("execute", Int(1)), M("arguments", Int(1)), M("foo", Int(2))},
		{M("arguments", Int(1)), M("execute", Int(1))},
		{M("a", Int(1)), M("b", Int(1)), M("c", Int(1)), M("d", Int(1)), M("e", Int(1))},
		{M("zz", Int(1)), M("yy", Int(1)), M("xx", Int(1))},
		{M("one", Int(1)), M("two", Int(1)), M("three", Int(1)), M("four", Int(1))},
		{M("execute", Str("nosuch")), M("arguments", List())},
		{M("execute", Str("query-status")), M("exec-oob", Str("query-yank")), M("x", Int(1))},
		{M("execute", Str("query-status")), M("exec-oob", Str("query-yank"))},
		{M("exec-oob", Str("query-yank")), M("execute", Str("query-status"))},
		{M("execute", Str("query-status")), M("exec-oob", Str("query-yank")), M("foo", Null())},
		{M("execute", Str("query-status")), M("exec-oob", Null())},
		{M("exec-oob", Str("query-status")), M("id", Int(1))},
		{M("exec-oob", Str("nosuch")), M("id", Int(1))},
		{M("id", Int(1))},
		{M("execute", Str("nosuch")), M("id", Null())},
	} {
		m := Dict(members...)
		q.say(Encode(m))
		want := q.hear()
		r, bad := ParseRequest(m, true)
		if bad == nil {
			bad = s.CheckRequest(r)
		}
		if got := bad.Message(r.ID); !got.Equal(want) {
			t.Errorf("%v\ngot  %v\nwant %v", m, got, want)
		}
	}
}
