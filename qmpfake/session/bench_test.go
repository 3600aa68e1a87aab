package session_test

import (
	"testing"
	"time"

	"fleece/qmpfake/session"
)

// flood is a source of one command over and over.
type flood struct {
	n, all  int
	started bool
	line    []byte
}

func (f *flood) Next(now, next time.Duration, listening bool) (session.Input, bool) {
	switch {
	case !listening:
		return session.Input{}, false
	case !f.started:
		f.started = true
		return session.Input{At: now, Kind: session.Connect}, true
	case f.n == 0:
		return session.Input{At: now, Kind: session.End}, true
	}
	f.n--
	if f.n%1000 == 999 {
		return session.Input{At: now, Kind: session.Drained}, true
	}
	if f.n == f.all {
		return session.Input{At: now, Kind: session.Data, Data: []byte(`{"execute":"qmp_capabilities"}`)}, true
	}
	return session.Input{At: now, Kind: session.Data, Data: f.line}, true
}

func (*flood) Write(int, []byte) {}
func (*flood) Taken(int)         {}
func (*flood) Full(int)          {}
func (*flood) Closed(int)        {}
func (*flood) Ready()            {}
func (*flood) Print(string)      {}
func (*flood) Quit()             {}

func BenchmarkCommand(b *testing.B) {
	for _, line := range []string{`{"execute":"query-status"}`, `{"execute":"query-named-block-nodes","arguments":{"flat":true}}`, `{"execute":"query-block"}`} {
		b.Run(line, func(b *testing.B) { benchmark(b, line) })
	}
}

func benchmark(b *testing.B, line string) {
	f := &flood{n: b.N + 1, all: b.N, line: []byte(line)}
	b.ReportAllocs()
	if err := session.Run(session.Options{Setup: session.Setup{Monitors: 1, Machine: disk(), Images: []session.Image{{Path: "/d", Format: "qcow2", Size: 1 << 30}}}, Source: f, Output: f}); err != nil {
		b.Fatal(err)
	}
}
