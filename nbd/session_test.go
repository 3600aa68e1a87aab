package nbd_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/nbd"
	"fleece/nbd/nbdtest"
)

const mib = 1 << 20

// disk is 1 MiB + 512 bytes: data in the first two granules and in the last.
func disk(name string) *nbdtest.Disk {
	d := nbdtest.New(name, mib+512)
	d.Fill(0, 2*nbdtest.Granularity)
	d.Fill(mib, 512)
	d.Bitmaps = []string{"b0", "b1"}
	d.Dirty("b0", nbdtest.Granularity, nbdtest.Granularity)
	return d
}

// connect starts a session over a pipe; the client's end is closed at the end of
// the test, and ended gives what the session returned.
func connect(t *testing.T, s *nbd.Server) (k *nbd.Client, ended func() error) {
	t.Helper()
	theirs, ours := net.Pipe()
	done := make(chan error, 1)
	go func() {
		session := s.NewSession(theirs)
		e, err := session.Negotiate()
		if err == nil && e != nil {
			err = session.Transmit()
		}
		_ = theirs.Close()
		done <- err
	}()
	k, err := nbd.Connect(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	return k, func() error { _ = ours.Close(); return <-done }
}

func serve(exports ...nbd.Export) *nbd.Server { return &nbd.Server{Source: nbd.Exports(exports)} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opened is a client with structured replies, all contexts and an open export.
func opened(t *testing.T, d *nbdtest.Disk) *nbd.Client {
	t.Helper()
	k, _ := connect(t, serve(d))
	must(t, k.StructuredReplies())
	all, err := k.ListMetaContexts(d.Name())
	must(t, err)
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	_, err = k.SetMetaContexts(d.Name(), names...)
	must(t, err)
	_, err = k.Go(d.Name())
	must(t, err)
	return k
}

func TestList_TellsTheExportsInTheirOrder(t *testing.T) {
	second := disk("a")
	second.Text = "the second"
	k, _ := connect(t, serve(disk("z"), second))
	got, err := k.List()
	must(t, err)
	if diff := cmp.Diff([]nbd.Listed{{"z", ""}, {"a", "the second"}}, got); diff != "" {
		t.Error(diff)
	}
	must(t, k.Abort())
}

func TestInfo_DescribesAReadOnlyAndAWritableExport(t *testing.T) {
	d := disk("e")
	d.Text = "text"
	k, _ := connect(t, serve(d))
	info, err := k.Info("e")
	must(t, err)
	want := nbd.Info{Name: "e", Description: "text", Size: mib + 512, BlockMin: 1, BlockPreferred: 4096, BlockMax: 32 << 20,
		Flags: nbd.FlagHasFlags | nbd.FlagReadOnly | nbd.FlagSendFlush | nbd.FlagSendFUA | nbd.FlagSendCache | nbd.FlagCanMultiConn}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Error(diff)
	}
	d.Writable = true
	must(t, k.StructuredReplies())
	info, err = k.Go("e")
	must(t, err)
	want.Flags = want.Flags&^nbd.FlagReadOnly | nbd.FlagSendTrim | nbd.FlagSendWriteZeroes | nbd.FlagSendFastZero | nbd.FlagSendDF
	if diff := cmp.Diff(want, info); diff != "" {
		t.Error(diff)
	}
}

func TestExportName_OpensInTheOldWay(t *testing.T) {
	k, _ := connect(t, serve(disk("e")))
	info, err := k.ExportName("e")
	must(t, err)
	if info.Size != mib+512 || info.Flags&nbd.FlagSendDF != 0 {
		t.Errorf("got %+v", info)
	}
	expectContent(t, k, disk("e"))
}

func TestExportName_OfNoExportEndsTheSession(t *testing.T) {
	k, ended := connect(t, serve(disk("e")))
	if _, err := k.ExportName("other"); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if err := ended(); !errors.Is(err, nbd.ErrProtocol) {
		t.Errorf("the session ended with %v", err)
	}
}

func expectContent(t *testing.T, k *nbd.Client, d *nbdtest.Disk) {
	t.Helper()
	got := bytes.Repeat([]byte{0xaa}, int(d.Size()))
	n, err := k.ReadAt(got, 0)
	must(t, err)
	if n != len(got) || !bytes.Equal(got, d.Content()) {
		t.Error("the content differs")
	}
}

func TestRead_GivesDataAndHolesApart(t *testing.T) {
	d := disk("e")
	k := opened(t, d)
	p := make([]byte, d.Size())
	chunks, _, err := k.Do(nbd.Request{Command: nbd.CmdRead, Length: uint32(len(p)), Data: p})
	must(t, err)
	want := []nbd.Extent{{0, 128 << 10, 0}, {128 << 10, mib - 128<<10, 1}, {mib, 512, 0}}
	if diff := cmp.Diff(want, chunks); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(p, d.Content()) {
		t.Error("the content differs")
	}
}

func TestRead_WithDFIsOneChunk(t *testing.T) {
	d := disk("e")
	k := opened(t, d)
	p := make([]byte, d.Size())
	chunks, _, err := k.Do(nbd.Request{Command: nbd.CmdRead, Flags: nbd.CmdFlagDF, Length: uint32(len(p)), Data: p})
	must(t, err)
	if diff := cmp.Diff([]nbd.Extent{{0, d.Size(), 0}}, chunks); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(p, d.Content()) {
		t.Error("the content differs")
	}
}

func TestRead_OfNothingIsAnswered(t *testing.T) {
	_, _, err := opened(t, disk("e")).Do(nbd.Request{Command: nbd.CmdRead})
	must(t, err)
}

func TestBlockStatus_TellsEveryContextOfTheRequest(t *testing.T) {
	d := disk("e")
	d.Depth = true
	k := opened(t, d)
	got, err := k.BlockStatus(1000, mib-1000+512, 0)
	must(t, err)
	const g = nbdtest.Granularity
	want := []nbd.ContextExtents{
		{"base:allocation", []nbd.Extent{{1000, 2*g - 1000, 0}, {2 * g, mib - 2*g, 3}, {mib, 512, 0}}},
		{"qemu:allocation-depth", []nbd.Extent{{1000, 2*g - 1000, 1}, {2 * g, mib - 2*g, 0}, {mib, 512, 1}}},
		{"qemu:dirty-bitmap:b0", []nbd.Extent{{1000, g - 1000, 0}, {g, g, 1}, {2 * g, mib - 2*g + 512, 0}}},
		{"qemu:dirty-bitmap:b1", []nbd.Extent{{1000, mib - 1000 + 512, 0}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBlockStatus_WithReqOneGivesOneExtentEach(t *testing.T) {
	got, err := opened(t, disk("e")).BlockStatus(0, mib, nbd.CmdFlagReqOne)
	must(t, err)
	for _, c := range got {
		if len(c.Extents) != 1 {
			t.Errorf("%s has %d extents", c.Context, len(c.Extents))
		}
	}
}

func TestMetaContexts_AreListedByWildcardAndChosenByName(t *testing.T) {
	d := disk("e")
	k, _ := connect(t, serve(d))
	base := nbd.Context{ID: 0, Name: "base:allocation"}
	b0, b1 := nbd.Context{ID: 0, Name: "qemu:dirty-bitmap:b0"}, nbd.Context{ID: 0, Name: "qemu:dirty-bitmap:b1"}
	for _, c := range []struct {
		queries []string
		want    []nbd.Context
	}{
		{nil, []nbd.Context{base, b0, b1}},
		{[]string{"base:"}, []nbd.Context{base}},
		{[]string{"qemu:"}, []nbd.Context{b0, b1}},
		{[]string{"qemu:dirty-bitmap:", "base:allocation"}, []nbd.Context{base, b0, b1}},
		{[]string{"qemu:dirty-bitmap:b1"}, []nbd.Context{b1}},
		{[]string{"other:", "qemu:other", "", strings.Repeat("x", 5000)}, nil},
	} {
		got, err := k.ListMetaContexts("e", c.queries...)
		must(t, err)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.queries, diff)
		}
	}
	must(t, k.StructuredReplies())
	got, err := k.SetMetaContexts("e", "qemu:dirty-bitmap:b1", "base:", "qemu:dirty-bitmap:none")
	must(t, err)
	b1.ID = 3
	if diff := cmp.Diff([]nbd.Context{b1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMetaContexts_OfAnotherExportAreVoid(t *testing.T) {
	k, _ := connect(t, serve(disk("e"), disk("f")))
	must(t, k.StructuredReplies())
	_, err := k.SetMetaContexts("f", "base:allocation")
	must(t, err)
	_, err = k.Go("e")
	must(t, err)
	_, err = k.BlockStatus(0, 512, 0)
	expectRequestError(t, err, nbd.EINVAL, "CMD_BLOCK_STATUS not negotiated")
}

func expectRequestError(t *testing.T, err error, errno nbd.Errno, text string) {
	t.Helper()
	var e *nbd.RequestError
	if !errors.As(err, &e) || e.Errno != errno || e.Message != text {
		t.Errorf("got %v, want %d %q", err, errno, text)
	}
}

func TestRequests_ThatAreRefusedSayWhyAndTheSessionGoesOn(t *testing.T) {
	d := disk("e")
	k := opened(t, d)
	buf := make([]byte, 512)
	for _, c := range []struct {
		r    nbd.Request
		text string
	}{
		{nbd.Request{Command: nbd.CmdWrite, Length: 512, Data: buf}, "Export is read-only"},
		{nbd.Request{Command: nbd.CmdTrim, Length: 512}, "Export is read-only"},
		{nbd.Request{Command: nbd.CmdRead, Offset: mib, Length: 1024, Data: make([]byte, 1024)},
			"operation past EOF; From: 1048576, Len: 1024, Size: 1049088"},
		{nbd.Request{Command: nbd.CmdRead, Offset: -1, Length: 1, Data: buf[:1]},
			"operation past EOF; From: 18446744073709551615, Len: 1, Size: 1049088"},
		{nbd.Request{Command: nbd.CmdRead, Length: 33554433, Data: buf}, "len (33554433 ) is larger than max len (33554432)"},
		{nbd.Request{Command: nbd.CmdRead, Flags: 0x8000, Length: 512, Data: buf}, "unsupported flags for command read (got 0x8000)"},
		{nbd.Request{Command: 77}, "invalid request type (77) received"},
		{nbd.Request{Command: nbd.CmdBlockStatus}, "need non-zero length"},
	} {
		_, _, err := k.Do(c.r)
		expectRequestError(t, err, nbd.EINVAL, c.text)
	}
	expectContent(t, k, d)
}

func TestOptions_ThatAreRefusedSayWhyAndOptionsGoOn(t *testing.T) {
	k, _ := connect(t, serve(disk("e")))
	must(t, k.StructuredReplies())
	for _, c := range []struct {
		o    nbd.Option
		data string
		kind nbd.OptionErrno
		text string
	}{
		{nbd.OptList, "x", nbd.ErrInvalid, "option 'list' has unexpected length"},
		{nbd.OptStructuredReply, "", nbd.ErrInvalid, "structured reply already negotiated"},
		{nbd.OptStartTLS, "", nbd.ErrPolicy, "TLS not configured"},
		{99, "abc", nbd.ErrUnsup, "Unsupported option 99 (<unknown>)"},
		{nbd.OptGo, "\x00\x00\x00\x01x\x00\x00", nbd.ErrUnknown, "export 'x' not present"},
		{nbd.OptInfo, "\x00\x00\x00\x09x", nbd.ErrInvalid, "Inconsistent lengths in option info"},
		{nbd.OptInfo, "\x00\x01\x00\x00x", nbd.ErrInvalid, "Invalid name length: 65536"},
		{nbd.OptInfo, "\x00\x00\x00\x01e\x00\x00zz", nbd.ErrInvalid, "option 'info' has unexpected length"},
		{nbd.OptSetMetaContext, "\x00\x00\x00\x01x\x00\x00\x00\x00", nbd.ErrUnknown, "export 'x' not present"},
	} {
		var e *nbd.OptionError
		if err := k.Option(c.o, []byte(c.data)); !errors.As(err, &e) || e.Errno != c.kind || e.Message != c.text {
			t.Errorf("option %d %q: got %v, want %s %q", c.o, c.data, err, c.kind, c.text)
		}
	}
	_, err := k.Go("e")
	must(t, err)
}

func TestMetaContexts_NeedStructuredRepliesToBeSet(t *testing.T) {
	k, _ := connect(t, serve(disk("e")))
	_, err := k.SetMetaContexts("e", "base:allocation")
	var e *nbd.OptionError
	if !errors.As(err, &e) || e.Message != "request option 'set meta context' when structured reply is not negotiated" {
		t.Errorf("got %v", err)
	}
}

func TestWrites_ReachTheExport(t *testing.T) {
	d := disk("e")
	d.Writable = true
	k := opened(t, d)
	_, err := k.WriteAt([]byte("hello"), 300<<10)
	must(t, err)
	for _, r := range []nbd.Request{
		{Command: nbd.CmdWriteZeroes, Offset: 10, Length: 20, Flags: nbd.CmdFlagNoHole},
		{Command: nbd.CmdTrim, Offset: nbdtest.Granularity, Length: nbdtest.Granularity},
		{Command: nbd.CmdCache, Length: 4096},
		{Command: nbd.CmdWrite, Offset: 0, Length: 1, Data: []byte{7}, Flags: nbd.CmdFlagFUA},
	} {
		_, _, err := k.Do(r)
		must(t, err)
	}
	must(t, k.Flush())
	want := disk("e").Content()
	copy(want[300<<10:], "hello")
	clear(want[10:30])
	clear(want[nbdtest.Granularity : 2*nbdtest.Granularity])
	want[0] = 7
	if !bytes.Equal(want, d.Content()) {
		t.Error("the content differs")
	}
	if d.Flushes() != 2 {
		t.Errorf("%d flushes, want one for FUA and one for FLUSH", d.Flushes())
	}
	expectContent(t, k, d)
	must(t, k.Disconnect())
}

func TestFaults_OfTheExportReachTheClientAsErrorNumbers(t *testing.T) {
	for _, c := range []struct {
		fault error
		want  nbd.Errno
	}{
		{syscall.EIO, nbd.EIO}, {syscall.ENOSPC, nbd.ENOSPC}, {syscall.EFBIG, nbd.ENOSPC}, {syscall.EROFS, nbd.EPERM},
		{syscall.ENOMEM, nbd.ENOMEM}, {syscall.EBADF, nbd.EINVAL}, {errors.New("no number"), nbd.EIO},
	} {
		d := disk("e")
		d.Writable = true
		k := opened(t, d)
		d.Fault = func(string) error { return c.fault }
		_, _, err := k.Do(nbd.Request{Command: nbd.CmdRead, Flags: nbd.CmdFlagDF, Length: 512, Data: make([]byte, 512)})
		expectRequestError(t, err, c.want, "reading from file failed")
		_, err = k.BlockStatus(0, 512, 0)
		expectRequestError(t, err, c.want, "can't get block status")
		_, err = k.WriteAt([]byte{1}, 0)
		expectRequestError(t, err, c.want, "writing to file failed")
		_, _, err = k.Do(nbd.Request{Command: nbd.CmdTrim, Length: 1})
		expectRequestError(t, err, c.want, "discard failed")
		expectRequestError(t, k.Flush(), c.want, "flush failed")
		d.Fault = nil
		expectContent(t, k, d)
	}
}

func TestRead_FaultInTheMiddleOfSparseContentIsAnError(t *testing.T) {
	d := disk("e")
	k := opened(t, d)
	reads := 0
	d.Fault = func(op string) error {
		if op == "read" {
			if reads++; reads == 2 {
				return syscall.EIO
			}
		}
		return nil
	}
	_, err := k.ReadAt(make([]byte, d.Size()), 0)
	expectRequestError(t, err, nbd.EIO, "reading from file failed")
	expectContent(t, k, d)
}
