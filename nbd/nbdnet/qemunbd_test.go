package nbdnet_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/nbd"
	"fleece/nbd/nbdnet"
	"fleece/nbd/nbdtest"
)

// qemuNBD serves an image with the content, extents and bitmap of disk() by
// qemu-nbd, on a unix socket.
func qemuNBD(t *testing.T, writable bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nbd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	image, raw, socket := filepath.Join(dir, "q"), filepath.Join(dir, "r"), filepath.Join(dir, "s")
	d := disk()
	if err := os.WriteFile(raw, d.Content(), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-S", "64k", raw, image)
	tool(t, "qemu-img", "bitmap", "--add", image, "b0")
	tool(t, "qemu-img", "bitmap", "--enable", image, "b0")
	part := filepath.Join(dir, "part")
	if err := os.WriteFile(part, d.Content()[4*mib+nbdtest.Granularity:][:nbdtest.Granularity], 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "qemu-io", "-c", fmt.Sprintf("write -s %s %d 64k", part, 4*mib+nbdtest.Granularity), image)
	tool(t, "qemu-img", "bitmap", "--disable", image, "b0")
	args := []string{"-k", socket, "-x", "e", "-D", "a disk for tests", "-A", "-B", "b0", "-e", "4", "-f", "qcow2", "--fork",
		"--pid-file", filepath.Join(dir, "pid")}
	if !writable {
		args = append(args, "-r")
	}
	tool(t, "qemu-nbd", append(args, image)...)
	t.Cleanup(func() {
		pid, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err == nil {
			_ = exec.Command("kill", strings.TrimSpace(string(pid))).Run()
		}
	})
	return socket
}

// probe is what a server says to everything that we know to ask, one line each.
func probe(t *testing.T, socket string, size int64) (lines []string) {
	t.Helper()
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	k := dial(t, socket)
	list, err := k.List()
	say("list %q %v", list, err)
	probeOptions(k, say)
	info, err := k.Info("e")
	say("info %+v %v", info, err)
	_, err = k.Info("other")
	say("info of another: %v", err)
	for _, q := range [][]string{nil, {"base:"}, {"qemu:"}, {"qemu:dirty-bitmap:"}, {"qemu:allocation-depth", "x"}, {strings.Repeat("q", 5000)}} {
		found, err := k.ListMetaContexts("e", q...)
		say("list meta %.20q: %v %v", q, found, err)
	}
	_, err = k.SetMetaContexts("e", "base:allocation")
	say("set meta too early: %v", err)
	say("structured: %v", k.StructuredReplies())
	say("structured again: %v", k.StructuredReplies())
	found, err := k.SetMetaContexts("e", "base:allocation", "qemu:dirty-bitmap:b0", "base:", "qemu:allocation-depth")
	say("set meta: %v %v", found, err)
	info, err = k.Go("e")
	say("go %+v %v", info, err)
	probeRequests(k, size, say)
	if err := k.Disconnect(); err != nil {
		t.Error(err)
	}
	return lines
}

func dial(t *testing.T, socket string) *nbd.Client {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	k, err := nbd.Connect(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func probeOptions(k *nbd.Client, say func(string, ...any)) {
	for _, o := range []struct {
		kind nbd.Option
		data string
	}{
		{nbd.OptList, "x"}, {nbd.OptStructuredReply, "x"}, {nbd.OptStartTLS, ""}, {99, ""}, {4, "abc"},
		{nbd.OptInfo, ""}, {nbd.OptInfo, "\x00\x00\x00\x09e\x00\x00"}, {nbd.OptInfo, "\x00\x00\x20\x00e\x00\x00"},
		{nbd.OptInfo, "\x00\x00\x00\x01e\x00\x01"}, {nbd.OptInfo, "\x00\x00\x00\x01e\x00\x00zz"},
		{nbd.OptListMetaContext, "\x00\x00\x00\x01e"}, {nbd.OptListMetaContext, "\x00\x00\x00\x01e\x00\x00\x00\x01\x00\x00\x00\x09q"},
		{nbd.OptListMetaContext, "\x00\x00\x00\x01x\x00\x00\x00\x00"},
	} {
		say("option %d %q: %v", o.kind, o.data, k.Option(o.kind, []byte(o.data)))
	}
}

func probeRequests(k *nbd.Client, size int64, say func(string, ...any)) {
	for _, one := range []uint16{0, nbd.CmdFlagReqOne} {
		status, err := k.BlockStatus(1000, uint32(size-2000), one)
		say("status: %v %v", status, err)
	}
	for _, r := range []nbd.Request{
		{Command: nbd.CmdRead}, {Command: nbd.CmdRead, Length: 4096}, {Command: nbd.CmdRead, Length: 4096, Flags: nbd.CmdFlagDF},
		{Command: nbd.CmdRead, Length: 4096, Flags: nbd.CmdFlagFUA}, {Command: nbd.CmdRead, Length: 512, Flags: 0x8000},
		{Command: nbd.CmdRead, Offset: size, Length: 0}, {Command: nbd.CmdRead, Offset: size, Length: 1},
		{Command: nbd.CmdRead, Offset: -1, Length: 2}, {Command: nbd.CmdRead, Length: 32<<20 + 1},
		{Command: nbd.CmdRead, Offset: 100, Length: uint32(size - 100)},
		{Command: nbd.CmdFlush}, {Command: nbd.CmdCache, Length: 4096}, {Command: nbd.CmdCache, Offset: size, Length: 512},
		{Command: nbd.CmdTrim, Offset: 8 * mib, Length: 512}, {Command: nbd.CmdWriteZeroes, Offset: 6 * mib, Length: 512, Flags: nbd.CmdFlagNoHole},
		{Command: nbd.CmdTrim, Offset: size, Length: 512}, {Command: nbd.CmdWriteZeroes, Offset: size, Length: 512},
		{Command: nbd.CmdTrim, Length: 512, Flags: nbd.CmdFlagDF}, {Command: nbd.CmdWrite, Offset: size, Length: 4, Data: []byte("data")},
		{Command: nbd.CmdWrite, Offset: 5 * mib, Length: 4, Data: []byte("data"), Flags: nbd.CmdFlagFUA}, {Command: nbd.CmdWrite, Flags: nbd.CmdFlagDF},
		{Command: nbd.CmdBlockStatus}, {Command: nbd.CmdBlockStatus, Length: uint32(size) + 1}, {Command: 8}, {Command: 77, Length: 5},
	} {
		if r.Command == nbd.CmdRead {
			r.Data = bytes.Repeat([]byte{0xcc}, int(min(r.Length, 32<<20)))
		}
		_, _, err := k.Do(r)
		say("%s flags %#x at %d of %d: %v, %x", r.Command, r.Flags, r.Offset, r.Length, err, sum(r))
	}
}

// sum is a checksum of what a read gave (FNV-1a).
func sum(r nbd.Request) (h uint64) {
	if r.Command != nbd.CmdRead {
		return 0
	}
	h = 14695981039346656037
	for _, b := range r.Data {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

func TestListener_AnswersEveryProbeAsQemuNBDDoes(t *testing.T) {
	for _, writable := range []bool{false, true} {
		d := disk()
		d.Depth, d.Writable = true, writable
		theirs := probe(t, qemuNBD(t, writable), size)
		ours := probe(t, listen(t, nbdnet.Options{Source: nbd.Exports{d}}), size)
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("writable %v: -qemu-nbd +ours:\n%s", writable, diff)
		}
	}
}

func TestListener_EndsSessionsWhereQemuNBDDoes(t *testing.T) {
	d := disk()
	d.Depth = true
	sockets := []string{qemuNBD(t, false), listen(t, nbdnet.Options{Source: nbd.Exports{d}})}
	for _, input := range []string{
		"\x00\x00\x01\x00", "\x00\x00\x00\x03xxxxxxxxxxxxxxxx", "\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x03\xff\xff\xff\xff",
		"\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x02\x00\x00\x00\x00", "\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x01\x00\x00\x00\x01x",
		"\x00\x00\x00\x00IHAVEOPT\x00\x00\x00\x03\x00\x00\x00\x00", "\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x05\x00\x00\x00\x01xIHAVEOPT\x00\x00\x00\x02\x00\x00\x00\x00",
		"\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x02\x00\x00\x00\x03xyz",
		// Data that are left behind the queries are taken for the next option.
		"\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x09\x00\x00\x00\x0a\x00\x00\x00\x01e\x00\x00\x00\x00zIHAVEOPT\x00\x00\x00\x02\x00\x00\x00\x00",
	} {
		var said []string
		for _, s := range sockets {
			c, err := net.Dial("unix", s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, input); err != nil {
				t.Fatal(err)
			}
			all, _ := io.ReadAll(c) // a reset is an end, too
			_ = c.Close()
			said = append(said, fmt.Sprintf("%q", all))
		}
		if said[0] != said[1] {
			t.Errorf("%q:\nqemu-nbd %s\nours     %s", input, said[0], said[1])
		}
	}
}
