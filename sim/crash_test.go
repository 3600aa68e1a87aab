package sim

import (
	"strings"
	"testing"

	"fleece/qmp"
	"fleece/rt/simrt"
)

// onMachine runs f on a machine of these options with a disk of 16 MiB.
func onMachine(t *testing.T, opts Options, f func(b *bench)) {
	t.Helper()
	if errSchema != nil {
		t.Fatal(errSchema)
	}
	opts.Schema = testSchema
	r := simrt.Run(simrt.Options{KeepLog: true}, func(w *simrt.World) { newBench(t, w, 16<<20, opts, f) })
	if r.Failure != nil {
		t.Fatalf("%s: %s\n%s", r.Failure.Kind, r.Failure.Detail, r.Failure.Stack)
	}
}

// line sends "name {arguments}"; a machine that dies answers nothing.
func (b *bench) line(text string) {
	name, args, _ := strings.Cut(text, " ")
	cmd := qmp.Command{Name: name}
	if args != "" {
		cmd.Args = parse(args)
	}
	b.send(cmd)
}

func (b *bench) send(cmd qmp.Command) {
	b.reply = qmp.Value{}
	_ = b.p.Call("client", func() { b.mon.Handle(cmd.Message(qmp.Value{})) })
}

// killers are what the real binary does not survive (§11), with what a machine says that
// only answers.
var killers = []struct{ name, before, command, want string }{
	{"enable of no bitmap in a transaction", "", `transaction {"actions": [{"type": "block-dirty-bitmap-enable", "data": {"node": "d", "name": "x"}}]}`,
		"Dirty bitmap 'x' not found"},
	{"enable in a grouped transaction", `block-dirty-bitmap-add {"node": "d", "name": "x"}`,
		`transaction {"properties": {"completion-mode": "grouped"}, "actions": [{"type": "block-dirty-bitmap-enable", "data": {"node": "d", "name": "x"}}]}`,
		"Action 'block-dirty-bitmap-enable' does not support Transaction property completion-mode = grouped"},
	{"merge of nothing", `block-dirty-bitmap-add {"node": "d", "name": "x"}`,
		`block-dirty-bitmap-merge {"node": "d", "target": "x", "bitmaps": []}`, "Invalid parameter 'bitmaps'"},
	{"reopen of nothing", "", `blockdev-reopen {"options": []}`, "Invalid parameter 'options'"},
	{"negative size", "", `blockdev-add {"driver": "null-co", "node-name": "n", "size": -1}`, "Invalid size"},
	{"resize after a migration", `migrate {"uri": "exec:cat"}`, `block_resize {"node-name": "d", "size": 1048576}`,
		"The image belongs to the destination of a migration"},
}

func TestCrash_IsAnErrorOrADeathAsTheSwitchSays(t *testing.T) {
	for _, k := range killers {
		t.Run(k.name, func(t *testing.T) {
			for _, crash := range []Crash{CrashAnswers, CrashDies} {
				onMachine(t, Options{Crash: crash}, func(b *bench) {
					if k.before != "" {
						b.line(k.before)
						b.w.Spec().Sleep(rateSlice)
					}
					b.line(k.command)
					got := b.reply.Get("error").Get("desc").S()
					if crash == CrashAnswers && (got != k.want || !b.p.Alive()) {
						t.Errorf("answered %q, want %q", got, k.want)
					}
					if crash == CrashDies && b.p.Alive() {
						t.Errorf("the machine is alive and answered %q", got)
					}
				})
			}
		})
	}
}

func TestCrash_OfABitmapThatAJobGaveBackToAReadOnlyNode(t *testing.T) {
	const remove, refused = `block-dirty-bitmap-remove {"node": "d", "name": "x"}`, "Bitmap 'x' is readonly and cannot be modified"
	for _, crash := range []Crash{CrashAnswers, CrashDies} {
		onMachine(t, Options{Crash: crash}, func(b *bench) {
			b.target("t", 16<<20)
			b.target("o", 16<<20)
			b.line(`block-dirty-bitmap-add {"node": "d", "name": "x", "persistent": true}`)
			b.line(`blockdev-backup {"job-id": "j", "device": "d", "target": "t", "sync": "incremental", "bitmap": "x", "auto-finalize": false}`)
			b.w.Spec().Sleep(rateSlice)
			b.line(`blockdev-snapshot {"node": "d", "overlay": "o"}`)
			b.line(`job-finalize {"id": "j"}`)
			b.line(remove)
			if got := b.reply.Get("error").Get("desc").S(); crash == CrashAnswers && got != refused {
				t.Errorf("answered %q, want %q", got, refused)
			}
			if crash == CrashDies && b.p.Alive() {
				t.Errorf("the machine is alive and answered %v", b.reply)
			}
		})
	}
}

// A copy that reads a table before it waits for its speed limit does not hear of the pause.
// Resizing empties the cache, be it to the size that the image has.
func TestHang_OfASectionOverACopyThatReadsATable(t *testing.T) {
	for _, c := range []struct {
		sizes []int64
		warm  bool
		want  int
	}{{[]int64{3 << 20, 4 << 20}, false, 1}, {[]int64{4 << 20}, false, 1}, {nil, false, 0}, {[]int64{4 << 20}, true, 0}} {
		hangs := 0
		onMachine(t, Options{Crashed: func() { hangs++ }}, func(b *bench) {
			b.must(CreateImage(b.host(), dir+"/s.qcow2", 4<<20, 4096, 3)) // 2 MiB for each table
			b.must(CreateImage(b.host(), dir+"/t.qcow2", 4<<20, 1<<20, 3))
			b.open("s")
			b.open("t")
			b.target("other", 4<<20)
			b.line(`device_add {"driver": "virtio-blk-pci", "id": "x", "drive": "s"}`)
			write := func(off, n int64) {
				b.in("guest", func() { b.must(b.m.GuestWrite("x", off, make([]byte, n))) })
			}
			for _, at := range []int64{0, 1 << 20, 3 << 20} {
				write(at, 64<<10)
			}
			for _, size := range c.sizes {
				b.line(`block_resize {"node-name": "s", "size": ` + itoa(size) + `}`)
			}
			if c.warm {
				b.in("guest", func() { b.must(b.m.GuestRead("x", 2<<20, make([]byte, 64<<10))) })
			}
			b.line(`blockdev-backup {"job-id": "j", "device": "s", "target": "t", "sync": "full", "speed": 1}`)
			b.w.Spec().Sleep(rateSlice)
			write(1<<20, 1<<20)
			b.line(`blockdev-backup {"job-id": "k", "device": "s", "target": "other", "sync": "full"}`)
		})
		if hangs != c.want {
			t.Errorf("resized to %v, warm %v: %d hangs, want %d", c.sizes, c.warm, hangs, c.want)
		}
	}
}

func TestVersion_IsOfTheMachine(t *testing.T) {
	v := Version72()
	v.Major, v.Minor, v.HasSinglestep, v.LosesFailedEnable = 9, 0, false, false
	onMachine(t, Options{Version: v}, func(b *bench) {
		b.line("query-version")
		if n, _ := b.reply.Get("return").Get("qemu").Get("major").Int64(); n != 9 {
			t.Errorf("version %v", b.reply)
		}
		b.line("query-status")
		if b.reply.Get("return").Get("singlestep").Present() {
			t.Errorf("status %v", b.reply)
		}
		b.line(`block-dirty-bitmap-add {"node": "d", "name": "x"}`)
		b.line(`transaction {"actions": [{"type": "block-dirty-bitmap-enable", "data": {"node": "d", "name": "x"}}, {"type": "abort", "data": {}}]}`)
		b.line("query-named-block-nodes")
		if text := b.reply.String(); !strings.Contains(text, `"recording": true`) {
			t.Errorf("a bitmap that was enabled is not: %s", text)
		}
	})
}

var humanLines = []struct{ line, want string }{
	{"info status", "VM status: running\r\n"},
	{"info version", "7.2.22Debian 1:7.2+dfsg-7+deb12u18+b3\r\n"},
	{"info name", ""},
	{"info uuid", "00000000-0000-0000-0000-000000000000\r\n"},
	{"info kvm", "kvm support: enabled\r\n"},
	{"info block-jobs", "No active jobs\r\n"},
	{"info nosuch", "unknown command: 'info nosuch'\r\n"},
	{"foo bar", "unknown command: 'foo'\r\n"},
	{"qemu-io", "qemu-io: block device name expected\r\nTry \"help qemu-io\" for more information\r\n"},
	{"qemu-io -d nosuch \"read 0 512\"", "Error: Device 'nosuch' not found\r\n"},
	{"qemu-io nosuch \"read 0 512\"", "Error: Cannot find device='' nor node-name='nosuch'\r\n"},
	{"qemu-io -d disk/virtio-backend write 0 512", "qemu-io: extraneous characters at the end of line\r\nTry \"help qemu-io\" for more information\r\n"},
	{"drive_del x", "Device 'x' not found\r\n"},
	{"stop", ""},
	{"info status", "VM status: paused\r\n"},
	{"system_reset", ""},
	{"info status", "VM status: paused (prelaunch)\r\n"},
}

func TestHumanMonitor_SaysWhatTheRealOneSays(t *testing.T) {
	onMachine(t, Options{}, func(b *bench) {
		for _, h := range humanLines {
			b.send(qmp.Command{Name: "human-monitor-command", Args: qmp.Dict(qmp.M("command-line", qmp.Str(h.line)))})
			if got := b.reply.Get("return").S(); got != h.want {
				t.Errorf("%s: %q, want %q", h.line, got, h.want)
			}
		}
	})
}

// A write that a section holds goes on when the guest is on the target of a mirror and
// before the target may write: a target with a data file may not, then.
func TestCrash_OfASwitchToADataFileUnderAWriteOfTheGuest(t *testing.T) {
	for _, c := range []struct {
		name         string
		data, writes bool
		dies         bool
	}{
		{"to an image with a data file under writes", true, true, true},
		{"to an image with a data file, nobody writes", true, false, false},
		{"to an image without one under writes", false, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			crashes := 0
			onMachine(t, Options{Crashed: func() { crashes++ }}, func(b *bench) {
				b.target("t", 16<<20)
				if c.data {
					b.qmp(`{"execute":"blockdev-del","arguments":{"node-name":"t"}}`)
					b.imageOverDataFile("t", 16<<20)
					b.open("t")
				}
				b.write(0, make([]byte, 1<<20))
				b.qmp(`{"execute":"blockdev-mirror","arguments":{"job-id":"j","device":"d","target":"t","sync":"full","copy-mode":"write-blocking"}}`)
				b.await("j ready")
				gone := !c.writes
				if c.writes {
					b.p.Go("guest", func() {
						for !gone {
							b.must(b.m.GuestWrite("disk", 4096, make([]byte, 4096)))
							b.p.Sleep(chunkTimeZero * 3 / 2)
						}
					})
				}
				b.qmp(`{"execute":"job-complete","arguments":{"id":"j"}}`)
				b.await("j null")
				gone = true
			})
			if (crashes > 0) != c.dies {
				t.Errorf("%d crashes", crashes)
			}
		})
	}
}

// Three backups of one disk in a transaction: the second ends at once and waits for the
// first, which is above it, to pause; meanwhile the third, right below it, ends.
func TestCrash_OfAJobThatEndsWhileTheOneAboveItDoes(t *testing.T) {
	backup := func(i int, sync string) string {
		more := `"sync": "` + sync + `"`
		if sync == "incremental" {
			more += `, "bitmap": "b` + itoa(int64(i)) + `"`
		}
		return `{"type": "blockdev-backup", "data": {"device": "d", "target": "t` + itoa(int64(i)) + `", "job-id": "j` + itoa(int64(i)) + `", ` + more + `}}`
	}
	const full, inc, top, none = "full", "incremental", "top", "none"
	for _, c := range []struct {
		syncs [3]string
		want  int
	}{
		{[3]string{full, inc, inc}, 1},
		{[3]string{top, inc, inc}, 1},
		{[3]string{full, inc, top}, 1},
		{[3]string{inc, inc, inc}, 0},
		{[3]string{top, top, top}, 0},
		{[3]string{inc, inc, full}, 0},
		{[3]string{inc, full, inc}, 0},
		{[3]string{full, full, inc}, 0},
		{[3]string{none, inc, inc}, 0},
	} {
		crashes := 0
		onMachine(t, Options{Crashed: func() { crashes++ }}, func(b *bench) {
			var actions []string
			for i, sync := range c.syncs {
				b.target("t"+itoa(int64(i)), 16<<20)
				b.line(`block-dirty-bitmap-add {"node": "d", "name": "b` + itoa(int64(i)) + `"}`)
				actions = append(actions, backup(i, sync))
			}
			b.line(`transaction {"actions": [` + strings.Join(actions, ", ") + `]}`)
		})
		if crashes != c.want {
			t.Errorf("%v: %d crashes, want %d", c.syncs, crashes, c.want)
		}
	}
}
