package qmp

import "testing"

func TestParseRequest_GivesTheTextsOfQEMU(t *testing.T) {
	for _, c := range []struct {
		in   string
		oob  bool
		want string // "" for a request that is well-formed
	}{
		{`[1]`, false, "QMP input must be a JSON object"},
		{`"s"`, false, "QMP input must be a JSON object"},
		{`null`, false, "QMP input must be a JSON object"},
		{`{}`, false, "QMP input lacks member 'execute'"},
		{`{"id":7}`, false, "QMP input lacks member 'execute'"},
		{`{"execute":1}`, false, "QMP input member 'execute' must be a string"},
		{`{"execute":"a","arguments":[]}`, false, "QMP input member 'arguments' must be an object"},
		{`{"execute":"a","foo":1}`, false, "QMP input member 'foo' is unexpected"},
		{`{"exec-oob":"a"}`, false, "QMP input member 'exec-oob' is unexpected"},
		{`{"exec-oob":1}`, true, "QMP input member 'exec-oob' must be a string"},
		{`{"exec-oob":"a"}`, true, ""},
		{`{"execute":"a"}`, false, ""},
		{`{"execute":"a","arguments":{},"id":null}`, true, ""},
	} {
		v, err := Decode([]byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		r, bad := ParseRequest(v, c.oob)
		switch {
		case c.want == "" && (bad != nil || r.Command.Name != "a"):
			t.Errorf("%s: %v, %+v", c.in, bad, r)
		case c.want != "" && (bad == nil || bad.Desc != c.want || bad.Class != GenericError):
			t.Errorf("%s: got %v, want %s", c.in, bad, c.want)
		}
		if !r.ID.Equal(v.Get("id")) {
			t.Errorf("%s: id %v", c.in, r.ID)
		}
	}
}

func TestParseRequest_TellsWhatIsOutOfBand(t *testing.T) {
	m := Dict(M("exec-oob", Str("query-yank")), M("arguments", Dict(M("a", Int(1)))), M("id", Int(5)))
	r, bad := ParseRequest(m, true)
	if bad != nil || !r.OutOfBand || r.Command.Name != "query-yank" || !r.Command.Args.Get("a").Equal(Int(1)) {
		t.Errorf("got %+v, %v", r, bad)
	}
}

func TestCheckRequest_AllowsOutOfBandOnlyWhereQEMUDoes(t *testing.T) {
	s := loadSchema(t)
	for _, c := range []struct{ name, want string }{
		{"query-yank", ""},
		{"query-status", "GenericError: The command query-status does not support OOB"},
		{"nosuch", "CommandNotFound: The command nosuch has not been found"},
	} {
		bad := s.CheckRequest(Request{Command: Command{Name: c.name}, OutOfBand: true})
		if (bad == nil) != (c.want == "") || (bad != nil && bad.Error() != c.want) {
			t.Errorf("%s: got %v, want %q", c.name, bad, c.want)
		}
	}
}

// The expected order was seen with QEMU 7.2.22.
func TestHashOrder_IsThatOfQEMU(t *testing.T) {
	s := loadSchema(t)
	args := func(names ...string) Value {
		v := Dict(M("id", Str("x")))
		for _, name := range names {
			v = v.With(name, Int(1))
		}
		return v
	}
	for _, c := range []struct {
		args Value
		want string
	}{
		{args("foo", "bar"), "bar"},
		{args("bar", "foo"), "bar"},
		{args("a", "b", "c", "d"), "b"},
		{args("zeta", "alpha", "c", "gamma"), "alpha"},
		{args("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), "one"},
	} {
		bad := s.Check(Command{"job-dismiss", c.args})
		if want := "Parameter '" + c.want + "' is unexpected"; bad == nil || bad.Desc != want {
			t.Errorf("%v: got %v, want %s", c.args, bad, want)
		}
	}
}

func TestNewSchema_RefusesWhatDoesNotHangTogether(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"no JSON", `[`, "qmp schema: JSON parse error, premature EOI"},
		{"a type that is missing", `[{"name":"c","meta-type":"command","arg-type":"7"}]`, "qmp schema: type '7' is used but not defined"},
		{"a type twice", `[{"name":"7","meta-type":"enum"},{"name":"7","meta-type":"enum"}]`, "qmp schema: type '7' is defined twice"},
		{"an unknown entry", `[{"name":"7","meta-type":"x"}]`, "qmp schema: entry '7' has the unknown meta-type 'x'"},
		{"a tag without member", `[{"name":"7","meta-type":"object","tag":"t"}]`, "qmp schema: object '7' has no member for its tag 't'"},
		{"an alternate without label", `[{"name":"7","meta-type":"alternate"}]`, "qmp schema: alternate '7' has no label"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewSchema([]byte(c.in)); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
