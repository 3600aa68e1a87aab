package hosttest

import (
	"errors"
	"sync"

	"fleece/host"
	"fleece/rt"
)

func killCases() []contractCase {
	return []contractCase{
		{"a killed process changes nothing, and what it wrote stays", killedChangesNothing},
		{"after Kill has returned no write of the process lands", killedWritersStop},
	}
}

func killedChangesNothing(h *harness) {
	p := h.s.NewProcess("victim")
	v := h.s.View(p)
	f, err := v.OpenFile(h.path("a"), host.ReadWrite|host.Create, 0o600)
	h.ok(err)
	h.write(f, []byte("kept"), 0)
	p.Kill()

	_, writeErr := f.WriteAt([]byte("lost"), 0)
	_, readErr := f.ReadAt(make([]byte, 1), 0)
	_, sizeErr := f.Size()
	_, _, dataErr := f.NextData(0)
	_, openErr := v.OpenFile(h.path("b"), host.ReadWrite|host.Create, 0o600)
	_, statErr := v.Stat(h.path("a"))
	_, listErr := v.ReadDir(h.s.Dir)
	for i, err := range []error{
		writeErr, readErr, sizeErr, dataErr, openErr, statErr, listErr,
		f.Truncate(0), f.PunchHole(0, 1), f.Sync(), f.Close(),
		v.Mkdir(h.path("d"), 0o700), v.Remove(h.path("a")),
		v.Rename(h.path("a"), h.path("c")), v.SyncDir(h.s.Dir),
	} {
		if !errors.Is(err, rt.ErrKilled) {
			h.Errorf("operation %d answered %v", i, err)
		}
	}
	names, err := h.ReadDir(h.s.Dir)
	h.ok(err)
	if len(names) != 1 || names[0] != "a" {
		h.Fatalf("directory holds %q", names)
	}
	data, err := host.ReadFile(h, h.path("a"), 10)
	h.ok(err)
	if string(data) != "kept" {
		h.Fatalf("content is %q", data)
	}
}

func killedWritersStop(h *harness) {
	const writers, rounds = 4, 2000
	p := h.s.NewProcess("victim")
	v := h.s.View(p)
	f, err := v.OpenFile(h.path("a"), host.ReadWrite|host.Create, 0o600)
	h.ok(err)
	var all sync.WaitGroup
	for w := range writers {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range rounds {
				if _, err := f.WriteAt([]byte{byte(w + 1)}, int64(i*writers+w)); err != nil {
					return
				}
			}
		}()
	}
	p.Kill()
	before, err := h.Stat(h.path("a"))
	h.ok(err)
	all.Wait()
	after, err := h.Stat(h.path("a"))
	h.ok(err)
	if before.Size != after.Size {
		h.Fatalf("the file grew from %d to %d after the kill", before.Size, after.Size)
	}
}
