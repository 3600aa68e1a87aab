package session_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fleece/qmpfake/session"
)

// recorded plays a session and returns its record.
func recorded(t interface{ Fatal(...any) }, p *player, s session.Setup) []byte {
	var record bytes.Buffer
	err := session.Run(session.Options{
		Setup: s, Source: p, Output: p, Chooser: chooser(s.Seed),
		Record: func(line []byte) error { record.Write(line); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return record.Bytes()
}

// backupInputs is a session with jobs that take time, and clients that come and go.
func backupInputs() []session.Input {
	return []session.Input{
		connect(0), says(0, negotiate), connect(1), says(1, negotiate),
		says(0, `{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io -d virtio-disk0/virtio-backend \"write 0 8M\""}}`),
		says(0, `{"execute":"blockdev-add","arguments":{"driver":"null-co","node-name":"t","size":67108864}}`),
		says(0, `{"execute":"blockdev-backup","arguments":{"job-id":"b","device":"d","target":"t","sync":"full","speed":2097152}}`),
		{At: 1500 * time.Millisecond, Kind: session.Data, Monitor: 1, Data: []byte(`{"execute":"query-jobs","id":"ä` + "\xff" + `"}`)},
		{At: 1600 * time.Millisecond, Kind: session.Data, Monitor: 1, Data: []byte(`{"execute":"query-jobs"}`)},
		hangup(1),
		{At: 1700 * time.Millisecond, Kind: session.Data, Monitor: 0, Data: []byte(`{"execute":"block-job-set-speed","arguments":{"device":"b","speed":0}}`)},
		connect(1), says(1, "junk"), eof(1),
	}
}

func TestARecordGivesTheSameSessionAgain(t *testing.T) {
	for _, seed := range []uint64{0, 1, 2, 3} {
		s := setup(2)
		s.Seed = seed
		p := &player{inputs: backupInputs(), until: 20 * time.Second}
		record := recorded(t, p, s)
		again := ""
		r, err := session.Replay(bytes.NewReader(record), session.ReplayOptions{Chooser: chooser, Each: func(l session.Line) {
			if l.Input.Monitor == 0 {
				again += string(l.Out)
			}
		}})
		if err != nil || r.Difference != nil || !r.Complete || r.Inputs != len(backupInputs())+1 {
			t.Errorf("seed %d: %+v, %v", seed, r, err)
		}
		if again != string(p.out[0]) || !strings.Contains(again, "BLOCK_JOB_COMPLETED") {
			t.Errorf("seed %d: the replies differ, or the job did not end:\n%s", seed, again)
		}
		if r.Setup.Begin.UnixNano() != s.Begin.UnixNano() || !strings.Contains(again, fmt.Sprint(s.Begin.Unix()+1)) {
			t.Errorf("seed %d: the time of the begin is lost", seed)
		}
	}
}

func TestWhatARecordDoesNotSayIsADifference(t *testing.T) {
	record := recorded(t, &player{inputs: backupInputs(), until: 20 * time.Second}, setup(2))
	lines := bytes.SplitAfter(record, []byte("\n"))
	find := func(what string) int {
		for i, l := range lines {
			if bytes.Contains(l, []byte(what)) {
				return i
			}
		}
		t.Fatalf("no line has %q", what)
		return 0
	}
	job := find("BLOCK_JOB_COMPLETED")
	for name, c := range map[string]struct {
		change func([][]byte) [][]byte
		line   int
	}{
		"an event has another time": {func(l [][]byte) [][]byte {
			l[job] = bytes.Replace(l[job], []byte("microseconds"), []byte("microsecondz"), 1)
			return l
		}, job + 1},
		"an output is missing": {func(l [][]byte) [][]byte { return append(l[:job:job], l[job+1:]...) }, job + 1},
		"an output is twice":   {func(l [][]byte) [][]byte { return append(l[:job:job], append([][]byte{l[job]}, l[job:]...)...) }, job + 2},
		"a command is another": {func(l [][]byte) [][]byte {
			i := find("set-speed")
			l[i] = bytes.Replace(l[i], []byte("set-speed"), []byte("set-speet"), 1)
			return l
		}, find("set-speed") + 2},
	} {
		changed := c.change(append([][]byte(nil), lines...))
		r, err := session.Replay(bytes.NewReader(bytes.Join(changed, nil)), session.ReplayOptions{})
		if err != nil || r.Difference == nil || r.Difference.Line < c.line || r.Difference.Line > c.line+1 {
			t.Errorf("%s: %+v, %v", name, r.Difference, err)
		}
	}
}

func TestARecordOfAKilledServerReplaysAsFarAsItGoes(t *testing.T) {
	record := recorded(t, &player{inputs: backupInputs(), until: 20 * time.Second}, setup(2))
	for _, cut := range []int{len(record) - 1, len(record) / 2, len(record) / 3} {
		r, err := session.Replay(bytes.NewReader(record[:cut]), session.ReplayOptions{})
		if err != nil || r.Difference != nil || r.Complete {
			t.Errorf("cut at %d: %+v, %v", cut, r, err)
		}
	}
}

func TestWhatIsNoRecordIsRefusedWithItsLine(t *testing.T) {
	first := string(recorded(t, &player{}, setup(1)))
	first = first[:strings.Index(first, "\n")+1]
	for text, want := range map[string]string{
		"":                         "line 1: EOF",
		"fl1:AAAA\n":               "line 1: ",
		"{\"fleece-session\":9}\n": "line 1: record of version 9; this fleece reads version 1",
		"{}\n":                     "no record of a session",
		first + "{}\n":             "line 2: member 'at' must be a time",
		first + `{"at":1}` + "\n":  "line 2: member 'do' is",
		first + "{\"at\":1,\n":     "line 2: JSON parse error",
		first + `{"at": 5, "do": "terminate"}` + "\n" + `{"at": 1, "do": "end"}` + "\n": "line 3: an input at 1, but it is 5 already",
		first + `{"at": 5, "mon": 7, "do": "connect"}` + "\n":                           "input for monitor 7: there are 1",
		strings.Replace(first, `"monitors": 1`, `"monitors": 99`, 1):                    "99 monitors",
		first + `{"at":5,"mon":0,"in":7}` + "\n":                                        "line 2: a string of bytes was expected",
		strings.Replace(first, `"format": "qcow2"`, `"format": "vmdk"`, 1) + "{}\n\n\n": "",
	} {
		_, err := session.Replay(strings.NewReader(text), session.ReplayOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// anyCommands are what random clients send: commands that work, that fail, that take
// time, and what is no command.
func anyCommands() []string {
	return []string{
		negotiate, `{"execute":"query-jobs"}`, `{"execute":"query-block"}`, `{"execute":"cont"}`, `{"execute":"stop"}`,
		`{"execute":"blockdev-add","arguments":{"driver":"null-co","node-name":"t","size":67108864}}`,
		`{"execute":"blockdev-del","arguments":{"node-name":"t"}}`,
		`{"execute":"blockdev-backup","arguments":{"job-id":"b","device":"d","target":"t","sync":"full","speed":1048576}}`,
		`{"execute":"block-job-cancel","arguments":{"device":"b"}}`,
		`{"execute":"block-job-set-speed","arguments":{"device":"b","speed":0}}`,
		`{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io -d virtio-disk0/virtio-backend \"write 1M 2M\""}}`,
		`{"execute":"transaction","arguments":{"actions":[{"type":"block-dirty-bitmap-add","data":{"node":"d","name":"x"}}]}}`,
		`{"execute":"block-dirty-bitmap-remove","arguments":{"node":"d","name":"x"}}`,
		`{"execute":"nosuch"}`, `{"execute":`, `]`, "\xff\x00", `{"execute":"quit"}`,
	}
}

func TestAnySessionIsTheSameAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const monitors = 3
		s := setup(monitors)
		s.Seed = rapid.Uint64Range(0, 5).Draw(t, "seed")
		var inputs []session.Input
		var at time.Duration
		var connected, ended [monitors]bool
		for range rapid.IntRange(1, 40).Draw(t, "inputs") {
			n := rapid.IntRange(0, monitors-1).Draw(t, "monitor")
			at += time.Duration(rapid.SampledFrom([]int{0, 0, 1, 1000, 1e6, 5e8}).Draw(t, "pause"))
			in := session.Input{At: at, Monitor: n}
			switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
			case !connected[n]:
				in.Kind, connected[n] = session.Connect, true
			case ended[n]:
				continue
			case kind == 0:
				in.Kind, ended[n] = session.EOF, true
			case kind == 1:
				in.Kind, ended[n] = session.Hangup, true
			case kind == 2:
				in.Kind = session.Drained
			default:
				in.Kind = session.Data
				in.Data = []byte(rapid.SampledFrom(anyCommands()).Draw(t, "command"))
			}
			inputs = append(inputs, in)
		}
		record := recorded(t, &player{inputs: inputs, until: at + time.Minute}, s)
		r, err := session.Replay(bytes.NewReader(record), session.ReplayOptions{Chooser: chooser})
		if err != nil || r.Difference != nil || !r.Complete {
			t.Fatalf("%+v, difference %+v, %v\n%s", r, r.Difference, err, record)
		}
	})
}
