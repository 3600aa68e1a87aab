package qmp

import (
	"strings"
	"testing"
)

func loadSchema(t testing.TB) *Schema {
	t.Helper()
	s, err := LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// argumentFault tells from its text whether QEMU found an error reply's fault
// before it executed the command.
func argumentFault(desc string) bool {
	for _, start := range []string{"Invalid parameter type for '", "The command "} {
		if strings.HasPrefix(desc, start) {
			return true
		}
	}
	if !strings.HasPrefix(desc, "Parameter '") {
		return false
	}
	for _, part := range []string{"' is missing", "' is unexpected", "' does not accept value '", "' expects uint", "' expects int"} {
		if strings.Contains(desc, part) {
			return true
		}
	}
	return false
}

// dialogue calls f for every command of a session that has a reply.
func dialogue(lines []Line, f func(request, reply Value)) {
	type key struct{ monitor, id string }
	open := map[key]Value{}
	for _, l := range lines {
		k := key{l.Monitor, l.Message.Get("id").String()}
		switch {
		case l.Message.Get("QMP").Present():
			clear(open)
		case l.Dir == FromClient && l.Message.Present():
			open[k] = l.Message
		case l.Dir == FromServer && isReply(l.Message):
			if request, ok := open[k]; ok && l.Message.Get("id").Present() {
				f(request, l.Message)
				delete(open, k)
			}
		}
	}
}

func TestCheck_GivesEveryVerdictOfTheRecordedSessions(t *testing.T) {
	s := loadSchema(t)
	for _, number := range fixtureNumbers {
		t.Run(number, func(t *testing.T) {
			faults, fine := 0, 0
			dialogue(readFixture(t, number), func(request, reply Value) {
				r, bad := ParseRequest(request, true)
				if bad == nil {
					bad = s.CheckRequest(r)
				}
				class, desc := reply.Get("error").Get("class").S(), reply.Get("error").Get("desc").S()
				switch {
				case argumentFault(desc) && r.Command.Name != "device_add":
					faults++
					if bad == nil || bad.Desc != desc || bad.Class != class {
						t.Errorf("%v\ngot  %v\nwant %s", request, bad, desc)
					}
				default:
					fine++
					if bad != nil {
						t.Errorf("%v\nwas accepted, but here is refused: %v", request, bad)
					}
				}
			})
			t.Logf("%d faults and %d other replies", faults, fine)
			if faults+fine == 0 {
				t.Error("the session has no commands")
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	s := loadSchema(b)
	backup := BlockdevBackup{
		Device: "libvirt-1-format", JobID: "backup-vda-libvirt-3-format", Target: "libvirt-3-format",
		Sync: "full", AutoFinalize: True, AutoDismiss: False,
	}
	add := BitmapAdd{Node: "libvirt-1-format", Name: "chk1", Persistent: True, Disabled: False}
	for _, c := range []struct {
		name string
		cmd  Command
	}{
		{"backup", backup.Command()},
		{"transaction", Transaction{Actions: []Action{add, add, backup, backup}}.Command()},
		{"blockdev-add", BlockdevAdd{Qcow2Node{NodeName: "n", File: "f", Backing: Null()}}.Command()},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if bad := s.Check(c.cmd); bad != nil {
					b.Fatal(bad)
				}
			}
		})
	}
}

func BenchmarkLoadSchema(b *testing.B) {
	for range b.N {
		loadSchema(b)
	}
}
