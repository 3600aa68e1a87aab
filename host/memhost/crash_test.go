package memhost_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"fleece/host"
	"fleece/host/hosttest"
	"fleece/host/memhost"
)

func all(int) int     { return 0 }
func nothing(int) int { return 1 }

func rebooted(k *memhost.Kernel, choose func(int) int) host.Host {
	return k.CrashClone(choose).View(hosttest.NewProcess("after"))
}

// tester is what *testing.T and *rapid.T have in common here.
type tester interface {
	Helper()
	Fatal(args ...any)
}

func content(t tester, h host.Host, name string) string {
	t.Helper()
	data, err := host.ReadFile(h, name, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "(missing)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func put(t *testing.T, f host.File, off int64, text string) {
	t.Helper()
	_, err := f.WriteAt([]byte(text), off)
	must(t, err)
}

func TestCrash_KeepsWhatWasSyncedAndLosesTheRestAtWorst(t *testing.T) {
	k, h := newHost(t)
	f := create(t, h, "/a")
	put(t, f, 0, "synced")
	must(t, f.Sync())
	must(t, h.SyncDir("/"))
	put(t, f, 0, "UN")
	put(t, f, 6, "-longer")
	must(t, create(t, h, "/b").Close())
	if got := content(t, rebooted(k, nothing), "/a"); got != "synced" {
		t.Errorf("at worst the content is %q", got)
	}
	if got := content(t, rebooted(k, nothing), "/b"); got != "(missing)" {
		t.Errorf("at worst the second file is %q", got)
	}
	if got := content(t, rebooted(k, all), "/a"); got != "UNnced-longer" {
		t.Errorf("at best the content is %q", got)
	}
	if got := content(t, h, "/a"); got != "UNnced-longer" {
		t.Errorf("the crash clone changed its origin: %q", got)
	}
}

func TestCrash_LosesASyncedFileWhoseEntryWasNot(t *testing.T) {
	k, h := newHost(t)
	f := create(t, h, "/a")
	put(t, f, 0, "x")
	must(t, f.Sync())
	if got := content(t, rebooted(k, nothing), "/a"); got != "(missing)" {
		t.Errorf("content is %q", got)
	}
}

func TestCrash_AfterARenameShowsUnsyncedContentAsEmpty(t *testing.T) {
	k, h := newHost(t)
	put(t, create(t, h, "/a.new"), 0, "never synced")
	must(t, h.Rename("/a.new", "/a"))
	must(t, h.SyncDir("/"))
	if got := content(t, rebooted(k, nothing), "/a"); got != "" {
		t.Errorf("content is %q", got)
	}
}

func TestCrash_BringsARemovedFileBackIfTheRemovalWasNotSynced(t *testing.T) {
	k, h := newHost(t)
	must(t, host.WriteFileAtomic(h, "/a", []byte("x"), 0o600))
	must(t, h.Remove("/a"))
	if got := content(t, rebooted(k, nothing), "/a"); got != "x" {
		t.Errorf("content is %q", got)
	}
	wantUsed(t, k.CrashClone(nothing), "/", page)
	wantUsed(t, k.CrashClone(all), "/", 0)
}

func TestCrash_OfARenameOverDirectoriesIsWholeOrNot(t *testing.T) {
	k, h := newHost(t)
	must(t, k.MkdirAll("/d"))
	must(t, k.MkdirAll("/e"))
	must(t, host.WriteFileAtomic(h, "/d/a", []byte("x"), 0o600))
	must(t, h.Rename("/d/a", "/e/a"))
	must(t, h.SyncDir("/e"))
	after := rebooted(k, nothing)
	if d, e := content(t, after, "/d/a"), content(t, after, "/e/a"); d != "(missing)" || e != "x" {
		t.Errorf("old path %q, new path %q", d, e)
	}
}

// At each step of an atomic replacement, and whatever a crash makes of it, a
// reader finds the old content or the new one.
func TestWriteFileAtomic_SurvivesACrashAtEachStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := memhost.New(hosttest.NewProcess("kernel"), memhost.Options{})
		h := k.View(hosttest.NewProcess("p"))
		before, after := strings.Repeat("old ", 3000), strings.Repeat("new ", 5000)
		if err := host.WriteFileAtomic(h, "/m", []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		// From one operation on nothing works any more, as after a kill.
		k.Fail(memhost.Fault{Nth: rapid.IntRange(1, 6).Draw(t, "dies at"), Forever: true, Errno: syscall.EIO})
		err := host.WriteFileAtomic(h, "/m", []byte(after), 0o600)
		clone := k.CrashClone(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") })
		got := content(t, clone.View(hosttest.NewProcess("after")), "/m")
		if got != before && got != after {
			t.Fatalf("content has %d bytes, neither old nor new", len(got))
		}
		if err == nil && got != after {
			t.Fatalf("the replacement was reported done and is lost")
		}
	})
}

// The content of a file is compared with a flat array of bytes, over all
// operations, and the accounting with the pages that are there.
func TestContent_EqualsAFlatArray(t *testing.T) {
	const top = 3*64<<10 + 1000
	rapid.Check(t, func(t *rapid.T) {
		k := memhost.New(hosttest.NewProcess("kernel"), memhost.Options{})
		f, err := k.View(hosttest.NewProcess("p")).OpenFile("/f", host.ReadWrite|host.Create, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		model, size := make([]byte, top), int64(0)
		synced, syncedSize := make([]byte, top), int64(0)
		draw := func(label string) int64 { return rapid.Int64Range(0, top).Draw(t, label) }
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				off := draw("offset")
				data := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, int(draw("length")/3))
				data = data[:min(int64(len(data)), top-off)]
				if _, err := f.WriteAt(data, off); err != nil {
					t.Fatal(err)
				}
				copy(model[off:], data)
				if len(data) > 0 {
					size = max(size, off+int64(len(data)))
				}
			},
			"punch": func(t *rapid.T) {
				off, n := draw("offset"), draw("length")+1
				if err := f.PunchHole(off, n); err != nil {
					t.Fatal(err)
				}
				clear(model[off:min(off+n, top)])
			},
			"truncate": func(t *rapid.T) {
				size = draw("size")
				if err := f.Truncate(size); err != nil {
					t.Fatal(err)
				}
				clear(model[size:])
			},
			"sync": func(t *rapid.T) {
				if err := f.Sync(); err != nil {
					t.Fatal(err)
				}
				copy(synced, model)
				syncedSize = size
			},
			"": func(t *rapid.T) {
				checkContent(t, f, model[:size])
				used, _, _ := k.Usage("/")
				if data := checkExtents(t, f, model[:size]); data > used {
					t.Fatalf("%d bytes of data in %d bytes of store", data, used)
				}
				checkSyncedState(t, k, synced[:syncedSize])
			},
		})
	})
}

func checkContent(t *rapid.T, f host.File, want []byte) {
	got := make([]byte, len(want))
	n, _ := f.ReadAt(got, 0)
	if size, _ := f.Size(); n != len(want) || size != int64(n) || !bytes.Equal(got, want) {
		t.Fatalf("content differs from the model")
	}
}

// checkExtents checks that all outside of the extents is zero, and returns the
// bytes that lie in them without the last page of each.
func checkExtents(t *rapid.T, f host.File, want []byte) (data int64) {
	off := int64(0)
	for {
		e, ok, err := f.NextData(off)
		if err != nil {
			t.Fatal(err)
		}
		next := int64(len(want))
		if ok {
			next = e.Offset
			data += e.Length / page * page
		}
		if len(bytes.Trim(want[off:next], "\x00")) > 0 {
			t.Fatalf("data in [%d, %d) is told as a hole", off, next)
		}
		if !ok {
			return data
		}
		off = e.Offset + e.Length
	}
}

// checkSyncedState looks at the worst crash of a host whose directory is durable.
func checkSyncedState(t *rapid.T, k *memhost.Kernel, want []byte) {
	p := hosttest.NewProcess("syncer")
	if err := k.View(p).SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	f, err := rebooted(k, nothing).OpenFile("/f", host.ReadOnly, 0)
	if err != nil {
		t.Fatal(err)
	}
	checkContent(t, f, want)
}
