package memhost_test

import (
	"bytes"
	"strings"
	"testing"

	"fleece/host"
	"fleece/host/hosttest"
	"fleece/host/memhost"
)

// onPages is a new kernel on memory that others may have used.
func onPages(pages *memhost.Pages) (*memhost.Kernel, host.Host) {
	k := memhost.New(hosttest.NewProcess("kernel"), memhost.Options{Pages: pages})
	return k, k.View(hosttest.NewProcess("p"))
}

func TestPages_AKernelSeesNothingOfTheOneBefore(t *testing.T) {
	pages := memhost.NewPages()
	for round := range 3 {
		pages.Reset()
		_, h := onPages(pages)
		f := create(t, h, "/a")
		put(t, f, 100, "x")                       // a part of a page
		put(t, f, 3*page, strings.Repeat("y", 2)) // a hole before it
		put(t, f, 5*page, strings.Repeat("z", page))
		must(t, f.PunchHole(5*page+10, 20))
		want := make([]byte, 6*page)
		want[100] = 'x'
		copy(want[3*page:], "yy")
		copy(want[5*page:], strings.Repeat("z", page))
		clear(want[5*page+10 : 5*page+30])
		if got := content(t, h, "/a"); got != string(want) {
			t.Fatalf("round %d: the content differs", round)
		}
		// Leave as much behind as there is room for.
		put(t, f, 0, strings.Repeat("\xff", 512<<10))
	}
}

func TestPages_ACrashCloneKeepsWhatItShares(t *testing.T) {
	pages := memhost.NewPages()
	k, h := onPages(pages)
	f := create(t, h, "/a")
	put(t, f, 0, strings.Repeat("a", 64<<10))
	must(t, f.Sync())
	must(t, h.SyncDir("/"))
	after := rebooted(k, nothing)
	pages.Reset()
	_, other := onPages(pages)
	put(t, create(t, other, "/b"), 0, strings.Repeat("b", 64<<10))
	if got := content(t, after, "/a"); !bytes.Equal([]byte(got), bytes.Repeat([]byte("a"), 64<<10)) {
		t.Error("the clone's content was overwritten by a later kernel")
	}
}
