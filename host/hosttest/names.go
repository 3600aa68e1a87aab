package hosttest

import (
	"strings"
	"syscall"

	"fleece/host"
)

func nameCases() []contractCase {
	return append([]contractCase{
		{"opening reports what is missing or in the way", openRefusals},
		{"exclusive creation refuses what exists", func(h *harness) {
			h.write(h.create("a"), []byte("abc"), 0)
			_, err := h.OpenFile(h.path("a"), host.ReadWrite|host.Create|host.Exclusive, 0o600)
			h.refused(err, syscall.EEXIST, "/a")
			f, err := h.OpenFile(h.path("a"), host.ReadWrite|host.Create, 0o600)
			h.ok(err)
			h.wantBytes(f, 0, []byte("abc"))
		}},
		{"truncating while opening empties the file", func(h *harness) {
			h.write(h.create("a"), []byte("abc"), 0)
			f, err := h.OpenFile(h.path("a"), host.ReadWrite|host.Truncate, 0)
			h.ok(err)
			h.wantSize(f, 0)
		}},
		{"an unlinked file lives on while it is open", func(h *harness) {
			f := h.create("a")
			h.write(f, []byte("abc"), 0)
			h.ok(h.Remove(h.path("a")))
			_, err := h.Stat(h.path("a"))
			h.refused(err, syscall.ENOENT, "/a")
			h.wantBytes(f, 0, []byte("abc"))
			h.write(f, []byte("d"), 3)
			h.ok(f.Close())
		}},
		{"a directory lists its names in order", func(h *harness) {
			for _, name := range []string{"b", "a.new", "c", "a"} {
				h.ok(h.create(name).Close())
			}
			h.ok(h.Mkdir(h.path("bb"), 0o700))
			names, err := h.ReadDir(h.s.Dir)
			h.ok(err)
			if got := strings.Join(names, " "); got != "a a.new b bb c" {
				h.Fatalf("got %q", got)
			}
			_, err = h.ReadDir(h.path("a"))
			h.refused(err, syscall.ENOTDIR, "/a")
		}},
		{"directories are made and removed by the rules", func(h *harness) {
			h.ok(h.Mkdir(h.path("d"), 0o700))
			h.refused(h.Mkdir(h.path("d"), 0o700), syscall.EEXIST, "/d")
			h.refused(h.Mkdir(h.path("x/y"), 0o700), syscall.ENOENT, "/x/y")
			h.ok(h.create("d/f").Close())
			h.refused(h.Remove(h.path("d")), syscall.ENOTEMPTY, "/d")
			h.ok(h.Remove(h.path("d/f")))
			h.ok(h.Remove(h.path("d")))
			h.refused(h.Remove(h.path("d")), syscall.ENOENT, "/d")
			info, err := h.Stat(h.s.Dir)
			h.ok(err)
			if !info.Mode.IsDir() {
				h.Fatalf("mode is %v", info.Mode)
			}
		}},
		{"a directory can be synced, a file cannot be as one", func(h *harness) {
			h.ok(h.create("a").Close())
			h.ok(h.SyncDir(h.s.Dir))
			h.refused(h.SyncDir(h.path("a")), syscall.ENOTDIR, "/a")
		}},
	}, renameCases()...)
}

func openRefusals(h *harness) {
	h.ok(h.create("f").Close())
	h.ok(h.Mkdir(h.path("d"), 0o700))
	for _, c := range []struct {
		name  string
		flags int
		errno syscall.Errno
	}{
		{"missing", host.ReadOnly, syscall.ENOENT},
		{"missing/x", host.ReadWrite | host.Create, syscall.ENOENT},
		{"f/x", host.ReadWrite | host.Create, syscall.ENOTDIR},
		{"d", host.ReadOnly, syscall.EISDIR},
		{"d", host.ReadWrite, syscall.EISDIR},
		{strings.Repeat("n", 256), host.ReadWrite | host.Create, syscall.ENAMETOOLONG},
		{strings.Repeat("n/", 2048) + "n", host.ReadOnly, syscall.ENAMETOOLONG},
		{"d/../f", host.ReadOnly, syscall.EINVAL},
	} {
		_, err := h.OpenFile(h.path(c.name), c.flags, 0o600)
		h.refused(err, c.errno, h.path(c.name))
	}
	h.ok(h.create(strings.Repeat("n", 255)).Close())
}

func renameCases() []contractCase {
	return []contractCase{
		{"a rename replaces the target at once and open files follow", func(h *harness) {
			a, b := h.create("a"), h.create("b")
			h.write(a, []byte("A"), 0)
			h.write(b, []byte("B"), 0)
			h.ok(h.Rename(h.path("a"), h.path("b")))
			data, err := host.ReadFile(h, h.path("b"), 10)
			h.ok(err)
			if string(data) != "A" {
				h.Fatalf("got %q", data)
			}
			h.wantBytes(b, 0, []byte("B"))
			_, err = h.Stat(h.path("a"))
			h.refused(err, syscall.ENOENT, "/a")
		}},
		{"a rename is refused by the rules", func(h *harness) {
			h.ok(h.create("f").Close())
			h.ok(h.Mkdir(h.path("d"), 0o700))
			h.ok(h.Mkdir(h.path("e"), 0o700))
			h.ok(h.create("d/f").Close())
			h.refused(h.Rename(h.path("x"), h.path("y")), syscall.ENOENT, "/x")
			h.refused(h.Rename(h.path("f"), h.path("d")), syscall.EISDIR, "/f")
			h.refused(h.Rename(h.path("d"), h.path("f")), syscall.ENOTDIR, "/d")
			h.refused(h.Rename(h.path("e"), h.path("d")), syscall.ENOTEMPTY, "/e")
			h.refused(h.Rename(h.path("d"), h.path("d/x")), syscall.EINVAL, "/d")
			h.ok(h.Rename(h.path("d"), h.path("e")))
			h.ok(h.Rename(h.path("f"), h.path("f")))
			_, err := h.Stat(h.path("e/f"))
			h.ok(err)
		}},
	}
}
