package sim

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/host"
	"fleece/qcow2"
)

func (b *bench) quit() {
	b.qmp(`{"execute":"quit"}`)
	b.p.Kill()
}

func (b *bench) add(name, more string) {
	b.qmp(`{"execute":"block-dirty-bitmap-add","arguments":{"node":"d","name":"` + name + `"` + more + `}}`)
}

func expect(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

const disk = 4 << 20

func TestBitmaps_SurviveAQuitAndTurnRoundOnce(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		b.add("a", `,"persistent":true`)
		b.write(70000, []byte{1})
		b.add("b", `,"persistent":true,"disabled":true`)
		b.add("lost", "")
		b.add("c", `,"persistent":true,"granularity":512`)
		b.write(1<<20, make([]byte, 513))
		want := []string{"c 1024 recording persistent", "lost 65536 recording", "b 0 persistent", "a 131072 recording persistent"}
		expect(t, "before", b.bitmaps("d"), want)
		for round := range 3 {
			b.quit()
			b.boot()
			// The directory is written newest first and read into a list that
			// shows its last entry first; entries then keep their places.
			want = []string{"a 131072 recording persistent", "b 0 persistent", "c 1024 recording persistent"}
			expect(t, "after restart "+string(rune('1'+round)), b.bitmaps("d"), want)
		}
		b.add("e", `,"persistent":true`)
		b.quit()
		b.boot()
		expect(t, "with a new one", b.bitmaps("d"), append([]string{"e 0 recording persistent"}, want...))
	})
}

func TestBitmaps_ThatAreInconsistentAreReadOnlyWithTheirNode(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		b.target("r", disk)
		b.qmp(`{"execute":"block-dirty-bitmap-add","arguments":{"node":"r","name":"x","persistent":true}}`)
		b.quit()
		b.boot()
		b.open("r")
		b.p.Kill() // in use, and not stored
		b.boot()
		b.qmp(`{"execute":"blockdev-add","arguments":{"driver":"qcow2","node-name":"r","read-only":true,
			"file":{"driver":"file","filename":"/img/r.qcow2"}}}`)
		expect(t, "before", b.bitmaps("r"), []string{"x 0 persistent inconsistent"})
		expect(t, "removal", b.try(`{"execute":"block-dirty-bitmap-remove","arguments":{"node":"r","name":"x"}}`),
			"Bitmap 'x' is readonly and cannot be modified")
	})
}

func TestBitmaps_OfAKilledMachineAreLostOrInconsistent(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		b.add("old", `,"persistent":true`)
		b.quit()
		b.boot()
		b.add("new", `,"persistent":true`)
		b.write(0, make([]byte, 512))
		b.p.Kill()
		b.boot()
		expect(t, "after the kill", b.bitmaps("d"), []string{"old 0 persistent inconsistent"})
		for _, verb := range []string{"clear", "enable", "disable"} {
			expect(t, verb, b.try(`{"execute":"block-dirty-bitmap-`+verb+`","arguments":{"node":"d","name":"old"}}`),
				"Bitmap 'old' is inconsistent and cannot be used")
		}
		b.quit()
		b.boot()
		expect(t, "after a clean restart", b.bitmaps("d"), []string{"old 0 persistent inconsistent"})
		b.qmp(`{"execute":"block-dirty-bitmap-remove","arguments":{"node":"d","name":"old"}}`)
		b.quit()
		b.boot()
		expect(t, "after its removal", b.bitmaps("d"), []string(nil))
	})
}

func TestBitmaps_RemovedInAnAbortedTransactionAreStoredAgain(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		b.add("a", `,"persistent":true`)
		b.quit()
		b.boot()
		desc := b.try(`{"execute":"transaction","arguments":{"actions":[
			{"type":"block-dirty-bitmap-remove","data":{"node":"d","name":"a"}},{"type":"abort","data":{}}]}}`)
		expect(t, "the transaction", desc, "Transaction aborted using Abort action")
		b.quit()
		b.boot()
		expect(t, "bitmaps", b.bitmaps("d"), []string{"a 0 recording persistent"})
	})
}

func TestBitmaps_OfADiskThatQuitsDuringAnIncrementalBackupAreConsistent(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		b.target("t", disk)
		b.add("a", `,"persistent":true`)
		b.write(0, make([]byte, 3<<20))
		b.qmp(`{"execute":"blockdev-backup","arguments":{"device":"d","target":"t","sync":"incremental","bitmap":"a","job-id":"j","speed":1}}`)
		b.write(3<<20, []byte{1})
		b.quit()
		b.boot()
		expect(t, "bitmaps", b.bitmaps("d"), []string{"a 3211264 recording persistent"}) // 3 MiB and 64 KiB
	})
}

func TestImages_AreWhatQemuImgAccepts(t *testing.T) {
	out := t.TempDir()
	inWorld(t, disk, nil, func(b *bench) {
		b.target("t", disk)
		b.add("a", `,"persistent":true`)
		b.write(300, bytes.Repeat([]byte{7}, 200000))
		b.in("guest", func() {
			b.must(b.m.GuestZero("disk", 1<<20, 100000))
			b.must(b.m.GuestDiscard("disk", 0, 65536))
		})
		b.qmp(`{"execute":"blockdev-backup","arguments":{"device":"d","target":"t","sync":"full","job-id":"j"}}`)
		b.await("j null")
		b.qmp(`{"execute":"block_resize","arguments":{"node-name":"d","size":8388608}}`)
		b.write(6<<20, []byte{1})
		b.qmp(`{"execute":"block_resize","arguments":{"node-name":"d","size":4194304}}`)
		b.quit()
		for _, name := range []string{"disk", "t"} {
			b.dump(name, out)
		}
	})
	for _, name := range []string{"disk", "t"} {
		qemuImg(t, "check", filepath.Join(out, name))
	}
	qemuImg(t, "compare", filepath.Join(out, "disk"), filepath.Join(out, "t"))
}

func TestImages_OfAKilledMachineHaveNoErrorsButLeaks(t *testing.T) {
	out := t.TempDir()
	for seed := range uint64(20) {
		inWorld(t, disk, &dice{seed}, func(b *bench) {
			b.p.Go("guest", func() {
				for i := range int64(40) {
					b.must(b.m.GuestWrite("disk", i*100000, []byte{byte(i)}))
					if i%7 == 0 {
						b.must(b.m.GuestFlush("disk"))
					}
				}
			})
			b.w.Spec().Sleep(1)
			for range seed {
				b.w.Kernel().NewMutex("turn").Lock()
			}
			b.p.Kill()
			b.dump("disk", out)
		})
		qemuImg(t, "check", filepath.Join(out, "disk"))
	}
}

// QEMU flushes what is cached of all L2 tables before it links a new one, so that the
// clusters that were counted with it have their entries.
func TestImages_OfAKilledMachineKeepWhatANewTableFlushed(t *testing.T) {
	inWorld(t, 2<<30, nil, func(b *bench) {
		for _, off := range []int64{0, 1 << 20, 700 << 20} {
			b.must(b.m.GuestWrite("disk", off, []byte{1}))
		}
		b.p.Kill()
		data, err := host.ReadFile(b.host(), dir+"/disk.qcow2", 1<<30)
		b.must(err)
		report, err := qcow2.Check(bytes.NewReader(data), int64(len(data)))
		if err != nil || report.ErrorCount > 0 || report.LeakCount > 0 {
			t.Errorf("%v %+v", err, report)
		}
		r, err := qcow2.Open(bytes.NewReader(data), int64(len(data)), qcow2.Options{})
		b.must(err)
		var p [1]byte
		if _, err := r.ReadAt(p[:], 1<<20); err != nil || p[0] != 1 {
			t.Errorf("the cluster of the first table has no entry: %v, %v", p, err)
		}
	})
}

func (b *bench) dump(name, out string) {
	data, err := host.ReadFile(b.host(), dir+"/"+name+".qcow2", 1<<30)
	b.must(err)
	report, err := qcow2.Check(bytes.NewReader(data), int64(len(data)))
	if err != nil || report.ErrorCount > 0 {
		b.t.Errorf("image %s: %v %+v", name, err, report)
	}
	b.must(os.WriteFile(filepath.Join(out, name), data, 0o600))
}

// leaksOnly is qemu-img check's exit status for an image that is sound but for
// clusters that nobody uses.
const leaksOnly = 3

// qemuImg runs qemu-img; without it the test is skipped, but not in CI.
func qemuImg(t testing.TB, args ...string) {
	t.Helper()
	path, err := exec.LookPath("qemu-img")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("qemu-img is required in CI: ", err)
		}
		t.Skip("qemu-img is not installed: ", err)
	}
	text, err := exec.Command(path, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == leaksOnly {
		return
	}
	if err != nil {
		t.Errorf("qemu-img %v: %v\n%s", args, err, text)
	}
}
