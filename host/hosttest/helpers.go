package hosttest

import (
	"syscall"

	"fleece/host"
)

func helperCases() []contractCase {
	return []contractCase{
		{"WriteFileAtomic replaces the file and leaves no other", func(h *harness) {
			h.ok(host.WriteFileAtomic(h, h.path("m"), []byte("one"), 0o600))
			h.ok(host.WriteFileAtomic(h, h.path("m"), []byte("second"), 0o600))
			data, err := host.ReadFile(h, h.path("m"), 6)
			h.ok(err)
			names, err := h.ReadDir(h.s.Dir)
			h.ok(err)
			if string(data) != "second" || len(names) != 1 {
				h.Fatalf("content %q, names %q", data, names)
			}
		}},
		{"WriteFileAtomic that fails leaves nothing", func(h *harness) {
			h.ok(h.Mkdir(h.path("m"), 0o700))
			h.refused(host.WriteFileAtomic(h, h.path("m"), []byte("one"), 0o600), syscall.EISDIR, "/m")
			_, err := h.Stat(h.path("m.new"))
			h.refused(err, syscall.ENOENT, "/m.new")
			h.refused(host.WriteFileAtomic(h, h.path("x/m"), nil, 0o600), syscall.ENOENT, "/x/m")
		}},
		{"ReadFile refuses a file that is too large", func(h *harness) {
			h.write(h.create("a"), pattern(11), 0)
			_, err := host.ReadFile(h, h.path("a"), 10)
			h.refused(err, syscall.EFBIG, "/a")
		}},
		{"MkdirAll makes what is missing and refuses a file in the way", func(h *harness) {
			h.ok(host.MkdirAll(h, h.path("a/b/c"), 0o700))
			h.ok(host.MkdirAll(h, h.path("a/b/c"), 0o700))
			h.ok(h.create("a/f").Close())
			h.refused(host.MkdirAll(h, h.path("a/f"), 0o700), syscall.ENOTDIR, "/a/f")
			if err := host.MkdirAll(h, h.path("a/f/x"), 0o700); err == nil {
				h.Fatal("a directory was made beneath a file")
			}
		}},
	}
}
