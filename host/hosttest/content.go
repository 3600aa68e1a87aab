package hosttest

import (
	"bytes"
	"errors"
	"io"
	"syscall"

	"fleece/host"
)

func contentCases() []contractCase {
	return append(byteCases(), rangeCases()...)
}

func byteCases() []contractCase {
	return []contractCase{
		{"what was written is read back, over page and chunk borders", func(h *harness) {
			f := h.create("a")
			data := pattern(3*64<<10 + 77)
			h.write(f, data, 64<<10-13)
			h.wantBytes(f, 64<<10-13, data)
			h.wantBytes(f, 0, make([]byte, 64<<10-13))
			h.wantSize(f, 64<<10-13+int64(len(data)))
		}},
		{"overwriting part of a range leaves the rest", func(h *harness) {
			f := h.create("a")
			data := pattern(20000)
			h.write(f, data, 0)
			h.ok(f.Sync())
			patch := bytes.Repeat([]byte{7}, 5000)
			h.write(f, patch, 3000)
			copy(data[3000:], patch)
			h.wantBytes(f, 0, data)
		}},
		{"reading beyond the end gives EOF with the bytes there are", func(h *harness) {
			f := h.create("a")
			h.write(f, []byte("abc"), 0)
			p := make([]byte, 10)
			n, err := f.ReadAt(p, 1)
			if n != 2 || !errors.Is(err, io.EOF) || string(p[:n]) != "bc" {
				h.Fatalf("got %d bytes %q, %v", n, p[:n], err)
			}
			if n, err := f.ReadAt(p, 100); n != 0 || !errors.Is(err, io.EOF) {
				h.Fatalf("got %d bytes, %v", n, err)
			}
		}},
		{"a hole reads as zero and takes no store", func(h *harness) {
			f := h.create("a")
			h.write(f, []byte{1}, 1<<33)
			h.wantBytes(f, 1<<32, make([]byte, 100))
			info, err := h.Stat(h.path("a"))
			h.ok(err)
			if info.Size != 1<<33+1 || info.Allocated > 1<<20 {
				h.Fatalf("size %d, allocated %d", info.Size, info.Allocated)
			}
		}},
	}
}

func rangeCases() []contractCase {
	return []contractCase{
		{"truncating cuts, and growing again reads as zero", func(h *harness) {
			f := h.create("a")
			h.write(f, pattern(10000), 0)
			h.ok(f.Truncate(5000))
			h.wantSize(f, 5000)
			h.ok(f.Truncate(10000))
			h.wantBytes(f, 5000, make([]byte, 5000))
			h.wantBytes(f, 0, pattern(5000))
			h.refused(f.Truncate(-1), syscall.EINVAL, "a")
		}},
		{"a punched range reads as zero and what is beside it stays", func(h *harness) {
			f := h.create("a")
			data := pattern(200000)
			h.write(f, data, 0)
			h.ok(f.PunchHole(4096+10, 120000))
			clear(data[4096+10 : 4096+10+120000])
			h.wantBytes(f, 0, data)
			h.ok(f.PunchHole(100000, 1<<40))
			h.wantSize(f, int64(len(data)))
			h.refused(f.PunchHole(0, 0), syscall.EINVAL, "a")
			h.refused(f.PunchHole(-1, 5), syscall.EINVAL, "a")
		}},
		{"data is never told as a hole", dataIsTold},
		{"negative offsets are refused", func(h *harness) {
			f := h.create("a")
			_, err := f.ReadAt(make([]byte, 1), -1)
			h.refused(err, syscall.EINVAL, "a")
			_, err = f.WriteAt(make([]byte, 1), -1)
			h.refused(err, syscall.EINVAL, "a")
		}},
		{"a file opened for reading cannot be changed", func(h *harness) {
			h.write(h.create("a"), []byte("abc"), 0)
			f, err := h.OpenFile(h.path("a"), host.ReadOnly, 0)
			h.ok(err)
			_, err = f.WriteAt([]byte("x"), 0)
			h.refused(err, syscall.EBADF, "a")
			h.refused(f.Truncate(0), syscall.EINVAL, "a")
			h.refused(f.PunchHole(0, 1), syscall.EBADF, "a")
			h.wantBytes(f, 0, []byte("abc"))
		}},
		{"a closed file answers bad file descriptor", func(h *harness) {
			f := h.create("a")
			h.ok(f.Close())
			_, err := f.ReadAt(make([]byte, 1), 0)
			h.refused(err, syscall.EBADF, "a")
			h.refused(f.Sync(), syscall.EBADF, "a")
			h.refused(f.Close(), syscall.EBADF, "a")
		}},
	}
}

// dataIsTold walks the extents and checks that they cover what was written.
func dataIsTold(h *harness) {
	f := h.create("a")
	written := []int64{0, 1 << 20, 5 << 20, 5<<20 + 4096, 1 << 30}
	for _, off := range written {
		h.write(f, pattern(100), off)
	}
	h.ok(f.Truncate(1 << 31))
	covered := 0
	for off := int64(0); ; {
		e, ok, err := f.NextData(off)
		h.ok(err)
		if !ok {
			break
		}
		if e.Length <= 0 || e.Offset < off || e.Offset+e.Length > 1<<31 {
			h.Fatalf("extent %+v after %d", e, off)
		}
		for _, w := range written {
			if w >= e.Offset && w+100 <= e.Offset+e.Length {
				covered++
			}
		}
		off = e.Offset + e.Length
	}
	if covered != len(written) {
		h.Fatalf("%d of %d writes lie in data extents", covered, len(written))
	}
	if _, ok, err := f.NextData(1 << 40); ok || err != nil {
		h.Fatalf("data beyond the end: %v, %v", ok, err)
	}
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8 + 1)
	}
	return p
}
