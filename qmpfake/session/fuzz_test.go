package session_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fleece/qmp"
	"fleece/qmpfake/session"
)

// recordedCommands are what the clients of recorded sessions sent, one session each.
func recordedCommands(f *testing.F) [][]byte {
	files, err := filepath.Glob("../../fixtures/transcripts/*.jsonl")
	if err != nil || len(files) == 0 {
		f.Fatal("no recorded sessions: ", err)
	}
	var all [][]byte
	for _, name := range files {
		in, err := os.Open(name)
		if err != nil {
			f.Fatal(err)
		}
		lines, err := qmp.ReadTranscript(in)
		_ = in.Close()
		if err != nil {
			f.Fatal(name, err)
		}
		var sent []byte
		for _, l := range lines {
			switch {
			case l.Dir != qmp.FromClient:
			case l.Raw != "":
				sent = append(sent, l.Raw+"\n"...)
			default:
				sent = append(qmp.Append(sent, l.Message), '\n')
			}
		}
		all = append(all, sent)
	}
	return all
}

// between is the time from one line of a fuzzed client to its next.
const between = 2 * time.Millisecond

// FuzzCommands plays what a client sends, line by line, to a machine with a disk and
// a second client. Whatever it is: the machine goes on, each message and each
// syntax error gets one reply, what the machine writes is JSON, and the session is
// the same again from its record.
func FuzzCommands(f *testing.F) {
	for _, sent := range recordedCommands(f) {
		f.Add(sent)
	}
	for _, line := range anyCommands() {
		f.Add([]byte(negotiate + "\n" + line + "\n" + line))
	}
	f.Add([]byte(`{"execute":"query-status","id":[1e999,-1e999]}`))
	schema, err := qmp.LoadSchema()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		inputs := []session.Input{connect(0), says(0, negotiate), connect(1)}
		at := time.Duration(0)
		for line := range bytes.Lines(sent) {
			at += between
			inputs = append(inputs, session.Input{At: at, Kind: session.Data, Monitor: 1, Data: line})
		}
		p := &player{inputs: inputs, until: at + 20*time.Millisecond, read: true}
		var record bytes.Buffer
		err := session.Run(session.Options{
			Setup: setup(2), Source: p, Output: p, Schema: schema,
			Record: func(line []byte) error { record.Write(line); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if !hasInfinity(sent) {
			replies, wanted := answers(t, p.out[1])-1, answers(nil, sent)
			if replies > wanted || replies < wanted && !p.quit && p.taken == len(inputs)-2 {
				t.Errorf("%d replies to %d messages", replies, wanted)
			}
		}
		answers(t, p.out[0])
		r, err := session.Replay(&record, session.ReplayOptions{Schema: schema})
		if err != nil || r.Difference != nil {
			t.Errorf("the replay differs: %+v, %v", r.Difference, err)
		}
	})
}

// hasInfinity reports whether a stream has a number that no double holds. QEMU reads
// it as infinity, and echoes an id with it as what is no JSON.
func hasInfinity(stream []byte) bool {
	d := qmp.NewDecoder(bytes.NewReader(stream))
	for {
		v, err := d.Next()
		if err == io.EOF {
			return false
		}
		if errors.Is(qmp.CheckWire(v), qmp.ErrNotWire) && err == nil {
			return true
		}
	}
}

// answers counts messages, without events, and syntax errors, which t must not meet.
func answers(t *testing.T, stream []byte) int {
	d := qmp.NewDecoder(bytes.NewReader(stream))
	n := 0
	for {
		v, err := d.Next()
		if err == io.EOF {
			return n
		}
		if err != nil && t != nil {
			t.Errorf("the machine wrote what is no JSON: %v", err)
		}
		if _, isEvent := qmp.ParseEvent(v); !isEvent || t == nil {
			n++
		}
	}
}

// FuzzReplay replays what need not be a record. Whatever it is, the answer is an
// error, a difference, or the same session.
func FuzzReplay(f *testing.F) {
	f.Add(recorded(f, &player{inputs: backupInputs()[:4]}, setup(2)))
	f.Add(recorded(f, &player{inputs: backupInputs(), until: 3 * time.Second}, setup(2)))
	schema, err := qmp.LoadSchema()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		r, err := session.Replay(bytes.NewReader(record), session.ReplayOptions{Schema: schema})
		if err != nil && r.Complete && r.Difference != nil {
			t.Errorf("both %v and %+v", err, r.Difference)
		}
	})
}
