package memhost_test

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"fleece/host"
	"fleece/host/hosttest"
	"fleece/host/memhost"
)

const page = 4096

// newHost is a kernel with one view.
func newHost(t *testing.T) (*memhost.Kernel, host.Host) {
	t.Helper()
	k := memhost.New(hosttest.NewProcess("kernel"), memhost.Options{})
	return k, k.View(hosttest.NewProcess("p"))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, h host.Host, name string) host.File {
	t.Helper()
	f, err := h.OpenFile(name, host.ReadWrite|host.Create, 0o600)
	must(t, err)
	return f
}

func wantErrno(t *testing.T, err error, errno syscall.Errno) {
	t.Helper()
	if !errors.Is(err, errno) {
		t.Fatalf("error is %v, want %v", err, errno)
	}
}

func wantUsed(t *testing.T, k *memhost.Kernel, dir string, want int64) {
	t.Helper()
	used, _, err := k.Usage(dir)
	must(t, err)
	if used != want {
		t.Fatalf("%d bytes are used, want %d", used, want)
	}
}

func TestCapacity_FailsExactlyAtThePageThatDoesNotFit(t *testing.T) {
	k, h := newHost(t)
	must(t, k.Mount("/small", 3*page))
	f := create(t, h, "/small/a")
	n, err := f.WriteAt(make([]byte, 5*page), page/2)
	wantErrno(t, err, syscall.ENOSPC)
	if n != 2*page+page/2 {
		t.Fatalf("%d bytes were stored", n)
	}
	if size, _ := f.Size(); size != 3*page {
		t.Fatalf("size is %d", size)
	}
	_, err = f.WriteAt([]byte{1}, 0)
	must(t, err) // a page that is there needs no new one
	if text := host.ErrText(errAt(f, 3*page)); text != "No space left on device" {
		t.Fatalf("error text is %q", text)
	}
	must(t, k.SetCapacity("/small", 4*page))
	must(t, errAt(f, 3*page))
	wantErrno(t, errAt(f, 4*page), syscall.ENOSPC)
	must(t, errAt(create(t, h, "/elsewhere"), 0))
}

func errAt(f host.File, off int64) error {
	_, err := f.WriteAt([]byte{1}, off)
	return err
}

func TestCapacity_IsGivenBackByPunchTruncateAndLastClose(t *testing.T) {
	k, h := newHost(t)
	must(t, k.Mount("/small", 8*page))
	f := create(t, h, "/small/a")
	_, err := f.WriteAt(make([]byte, 8*page), 0)
	must(t, err)
	must(t, f.PunchHole(page, 2*page+1))
	wantUsed(t, k, "/small", 6*page)
	must(t, f.Truncate(5*page))
	wantUsed(t, k, "/small", 3*page)
	must(t, h.Remove("/small/a"))
	wantUsed(t, k, "/small", 3*page)
	must(t, f.Close())
	wantUsed(t, k, "/small", 0)
}

func TestCapacity_OfAFileThatAKilledProcessHeldIsGivenBack(t *testing.T) {
	k, h := newHost(t)
	p := hosttest.NewProcess("victim")
	f := create(t, k.View(p), "/a")
	_, err := f.WriteAt(make([]byte, page), 0)
	must(t, err)
	must(t, h.Remove("/a"))
	wantUsed(t, k, "/", page)
	p.Kill()
	wantUsed(t, k, "/", 0)
}

func TestMount_IsAFileSystemOfItsOwn(t *testing.T) {
	k, h := newHost(t)
	must(t, k.Mount("/m", page))
	must(t, create(t, h, "/a").Close())
	wantErrno(t, h.Rename("/a", "/m/a"), syscall.EXDEV)
	wantErrno(t, h.Remove("/m"), syscall.EBUSY)
	wantErrno(t, h.Rename("/m", "/n"), syscall.EBUSY)
	wantErrno(t, k.Mount("/m", page), syscall.EBUSY)
	wantErrno(t, k.Mount("/a", page), syscall.ENOTDIR)
}

func TestFault_FailsTheNthMatchingOperationOnce(t *testing.T) {
	k, h := newHost(t)
	fault := k.Fail(memhost.Fault{Op: memhost.OpWrite, Path: "*.img", Nth: 2, Errno: syscall.EIO})
	f, other := create(t, h, "/a.img"), create(t, h, "/b")
	must(t, errAt(f, 0))
	must(t, errAt(other, 0))
	wantErrno(t, errAt(f, 0), syscall.EIO)
	must(t, errAt(f, 0))
	if fault.Fired() != 1 {
		t.Fatalf("fired %d times", fault.Fired())
	}
}

func TestFault_ForEverFailsUntilItIsCleared(t *testing.T) {
	k, h := newHost(t)
	must(t, create(t, h, "/a").Close())
	fault := k.Fail(memhost.Fault{Op: memhost.OpRename, Path: "/b", Forever: true, Errno: syscall.EROFS})
	wantErrno(t, h.Rename("/a", "/b"), syscall.EROFS)
	wantErrno(t, h.Rename("/a", "/b"), syscall.EROFS)
	fault.Clear()
	must(t, h.Rename("/a", "/b"))
}

func TestFault_HasNoEffectBesideTheError(t *testing.T) {
	k, h := newHost(t)
	f := create(t, h, "/a")
	must(t, errAt(f, 0))
	for _, op := range []memhost.Op{
		memhost.OpWrite, memhost.OpTruncate, memhost.OpPunch, memhost.OpSync, memhost.OpCreate,
		memhost.OpMkdir, memhost.OpRemove, memhost.OpSyncDir, memhost.OpReadDir, memhost.OpStat, memhost.OpOpen,
	} {
		fault := k.Fail(memhost.Fault{Op: op, Forever: true, Errno: syscall.EIO})
		wantErrno(t, every(h, f)[op], syscall.EIO)
		fault.Clear()
	}
	if size, _ := f.Size(); size != 1 {
		t.Fatalf("size is %d", size)
	}
	names, err := h.ReadDir("/")
	must(t, err)
	if len(names) != 1 {
		t.Fatalf("names are %q", names)
	}
}

// every runs one operation of each kind, made so that only the failing one would
// change something that the test looks at.
func every(h host.Host, f host.File) map[memhost.Op]error {
	errs := map[memhost.Op]error{
		memhost.OpWrite:    errAt(f, 0),
		memhost.OpTruncate: f.Truncate(1),
		memhost.OpPunch:    f.PunchHole(0, 1),
		memhost.OpSync:     f.Sync(),
		memhost.OpMkdir:    h.Mkdir("/d", 0o700),
		memhost.OpSyncDir:  h.SyncDir("/"),
	}
	_, errs[memhost.OpCreate] = h.OpenFile("/n", host.ReadWrite|host.Create, 0o600)
	errs[memhost.OpRemove] = errors.Join(h.Remove("/d"), h.Remove("/n"))
	_ = h.Remove("/d") // when the fault was in something else, both are gone again
	_ = h.Remove("/n")
	_, errs[memhost.OpReadDir] = h.ReadDir("/")
	_, errs[memhost.OpStat] = h.Stat("/a")
	_, errs[memhost.OpOpen] = h.OpenFile("/a", host.ReadOnly, 0)
	if errs[memhost.OpRemove] != nil && !errors.Is(errs[memhost.OpRemove], fs.ErrNotExist) {
		errs[memhost.OpRemove] = syscall.EIO
	}
	return errs
}

func TestObserve_SeesWhatWasDoneByWhom(t *testing.T) {
	k, h := newHost(t)
	var seen []string
	k.Observe(func(e memhost.Event) { seen = append(seen, e.Process+" "+string(e.Op)+" "+e.Path) })
	must(t, errAt(create(t, h, "/a"), 7))
	_, err := h.Stat("/b")
	wantErrno(t, err, syscall.ENOENT)
	want := []string{"p create /a", "p write /a", "p stat /b"}
	if len(seen) != len(want) || seen[0] != want[0] || seen[1] != want[1] || seen[2] != want[2] {
		t.Fatalf("seen %q", seen)
	}
}
