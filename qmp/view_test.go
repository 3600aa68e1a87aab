package qmp

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestViews_ReadEveryReplyAndEventOfTheRecordedSessions holds the views against
// what QEMU really sends.
func TestViews_ReadEveryReplyAndEventOfTheRecordedSessions(t *testing.T) {
	read := map[string]int{}
	for _, number := range fixtureNumbers {
		lines := readFixture(t, number)
		dialogue(lines, func(request, reply Value) {
			result := reply.Get("return")
			name := request.Get("execute").S()
			var err error
			switch {
			case !result.Present():
				return
			case name == "query-jobs":
				_, err = Jobs(result)
			case name == "query-block-jobs":
				_, err = BlockJobs(result)
			case name == "query-named-block-nodes":
				_, err = NamedNodes(result)
			case name == "query-block":
				_, err = BlockDevices(result)
			case name == "query-block-exports":
				_, err = BlockExports(result)
			case name == "query-status":
				_, err = RunStatus(result)
			default:
				return
			}
			read[name]++
			if err != nil {
				t.Errorf("transcript %s: %s: %v", number, name, err)
			}
		})
		for _, l := range lines {
			if e, ok := ParseEvent(l.Message); ok {
				read[e.Name]++
				if e.Seconds == 0 || !e.Message().Equal(l.Message) {
					t.Errorf("transcript %s: %v was read as %+v", number, l.Message, e)
				}
			}
		}
	}
	for _, name := range []string{"query-jobs", "query-block-jobs", "query-named-block-nodes", "query-block", "query-status", EventJobStatusChange, EventBlockJobCompleted} {
		if read[name] == 0 {
			t.Errorf("no %s in the recorded sessions", name)
		}
	}
}

func TestNamedNodes_TellsBitmaps(t *testing.T) {
	var got []NamedNode
	dialogue(readFixture(t, "30"), func(request, reply Value) {
		if request.Get("id").S() == "c-25" {
			got, _ = NamedNodes(reply.Get("return"))
		}
	})
	if len(got) == 0 {
		t.Fatal("no such reply")
	}
	want := NamedNode{
		NodeName: "libvirt-2-format", Driver: "qcow2", File: "/var/lib/fleece/disk2.qcow2",
		VirtualSize: 16777216, ActualSize: 5509120, ClusterSize: 65536,
		Bitmaps: []DirtyBitmap{{Name: "chk1", Granularity: 65536, Recording: true, Persistent: true}},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	if b, ok := got[0].Bitmap("chk1"); !ok || b.Granularity != 65536 {
		t.Errorf("bitmap chk1: %+v, %v", b, ok)
	}
	if _, ok := got[0].Bitmap("chk2"); ok {
		t.Error("there is a bitmap chk2")
	}
}

func TestNamedNodes_TellDataFilesByWhatOthersDoNotShow(t *testing.T) {
	for specific, want := range map[string]bool{
		`"compat": "1.1", "data-file": "d", "data-file-raw": false`: true,
		`"compat": "1.1", "data-file-raw": true`:                    true, // the header has no name
		`"compat": "1.1"`:                                           false,
	} {
		reply, err := Decode([]byte(`[{"node-name": "n", "drv": "qcow2", "file": "f", "ro": false, "write_threshold": 0,
			"image": {"virtual-size": 512, "format-specific": {"type": "qcow2", "data": {` + specific + `}}}}]`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := NamedNodes(reply)
		if err != nil || len(got) != 1 || got[0].DataFile != want {
			t.Errorf("%s: %+v, %v", specific, got, err)
		}
	}
}

func TestEventViews_ReadTheirOwnEventsOnly(t *testing.T) {
	data := Dict(M("id", Str("j")), M("status", Str(JobConcluded)), M("device", Str("j")), M("type", Str("backup")),
		M("len", Int(10)), M("offset", Int(9)), M("speed", Int(8)), M("error", Str("why")), M("operation", Str("write")),
		M("action", Str("stop")), M("node-name", Str("n")), M("reason", Str("r")), M("nospace", Bool(true)), M("guest", Bool(true)))
	e := func(name string) Event { return Event{Name: name, Data: data} }
	other := e("OTHER")
	check := func(name string, got, want any, ok, otherOK bool) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" || !ok || otherOK {
			t.Errorf("%s: ok %v, for another event %v\n%s", name, ok, otherOK, diff)
		}
	}
	a, ok := AsJobStatusChange(e(EventJobStatusChange))
	_, no := AsJobStatusChange(other)
	check("job", a, JobStatusChange{"j", JobConcluded}, ok, no)
	b, ok := AsBlockJobEnd(e(EventBlockJobCancelled))
	_, no = AsBlockJobEnd(other)
	check("end", b, BlockJobEnd{"backup", "j", 10, 9, 8, "why"}, ok, no)
	c, ok := AsBlockJobError(e(EventBlockJobError))
	_, no = AsBlockJobError(other)
	check("error", c, BlockJobError{"j", "write", "stop"}, ok, no)
	d, ok := AsBlockIOError(e(EventBlockIOError))
	_, no = AsBlockIOError(other)
	check("io", d, BlockIOError{"j", "n", "write", "stop", "r", true}, ok, no)
	x, ok := AsBlockExportDeleted(e(EventBlockExportDeleted))
	_, no = AsBlockExportDeleted(other)
	check("export", x, "j", ok, no)
	s, ok := AsShutdown(e(EventShutdown))
	_, no = AsShutdown(other)
	check("shutdown", s, Shutdown{true, "r"}, ok, no)
}

func TestViews_RefuseWhatIsNotAsTheSchemaSays(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		want string
	}{
		{"no list", `{}`, "qmp: protocol violated: query-jobs: a list was expected, not {}"},
		{"a member missing", `[{"type": "backup"}]`, "qmp: protocol violated: query-jobs: member 'id' should be a string, is absent"},
		{"a member of the wrong kind", `[{"id": 1}]`, "qmp: protocol violated: query-jobs: member 'id' should be a string, is 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := Decode([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Jobs(v)
			if !errors.Is(err, ErrProtocol) || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
