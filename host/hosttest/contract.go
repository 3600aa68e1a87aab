// Package hosttest is the contract of package host as tests: what any host must
// do, run over memhost and oshost alike, and over a host of somebody else's.
//
// It is not for use outside of tests.
//
// The property it keeps: each case says one thing that a caller may rely on, and
// leaves out what implementations may do differently (allocation to the byte,
// which part of a run of data NextData names).
package hosttest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"fleece/host"
	"fleece/rt"
)

// Subject is one fresh host under test.
type Subject struct {
	// Dir is an empty directory, absolute and clean.
	Dir string
	// View gives a new view of the same host for a process.
	View func(p rt.Process) host.Host
	// NewProcess makes the processes of the world; nil stands for this
	// package's NewProcess.
	NewProcess func(name string) rt.Process
}

// Contract runs all cases; fresh is called once for each.
func Contract(t *testing.T, fresh func(t *testing.T) Subject) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			s := fresh(t)
			if s.NewProcess == nil {
				s.NewProcess = func(name string) rt.Process { return NewProcess(name) }
			}
			c.run(&harness{T: t, Host: s.View(s.NewProcess("test")), s: s})
		})
	}
}

type contractCase struct {
	name string
	run  func(h *harness)
}

func cases() []contractCase {
	var all []contractCase
	all = append(all, contentCases()...)
	all = append(all, nameCases()...)
	all = append(all, killCases()...)
	all = append(all, socketCases()...)
	return append(all, helperCases()...)
}

// harness is a view with checks.
type harness struct {
	*testing.T
	host.Host
	s Subject
}

func (h *harness) path(name string) string { return h.s.Dir + "/" + name }

func (h *harness) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatalf("unexpected error: %v", err)
	}
}

// refused checks that err is errno in the form that the seam promises, with
// name in its text.
func (h *harness) refused(err error, errno syscall.Errno, name string) {
	h.Helper()
	if !errors.Is(err, errno) {
		h.Fatalf("error is %v, want %v", err, errno)
	}
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	if !errors.As(err, &pathErr) && !errors.As(err, &linkErr) {
		h.Fatalf("error is a %T, want *fs.PathError or *os.LinkError", err)
	}
	if !strings.Contains(err.Error(), name) {
		h.Fatalf("error %q does not name %q", err, name)
	}
}

func (h *harness) create(name string) host.File {
	h.Helper()
	f, err := h.OpenFile(h.path(name), host.ReadWrite|host.Create|host.Exclusive, 0o600)
	h.ok(err)
	return f
}

func (h *harness) write(f host.File, data []byte, off int64) {
	h.Helper()
	n, err := f.WriteAt(data, off)
	h.ok(err)
	if n != len(data) {
		h.Fatalf("wrote %d bytes of %d", n, len(data))
	}
}

func (h *harness) wantBytes(f host.File, off int64, want []byte) {
	h.Helper()
	got := bytes.Repeat([]byte{0xEE}, len(want))
	n, err := f.ReadAt(got, off)
	if err != nil && (!errors.Is(err, io.EOF) || n < len(want)) {
		h.Fatalf("read at %d: %d bytes, %v", off, n, err)
	}
	if !bytes.Equal(got, want) {
		h.Fatalf("content at %d differs from what was written", off)
	}
}

func (h *harness) wantSize(f host.File, want int64) {
	h.Helper()
	size, err := f.Size()
	h.ok(err)
	if size != want {
		h.Fatalf("size is %d, want %d", size, want)
	}
}
