package nbd_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"fleece/nbd"
	"fleece/nbd/nbdtest"
)

// script is a peer that says what it was given and listens to nothing.
type script struct {
	in  *bytes.Reader
	out int
}

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { s.out += len(p); return len(p), nil }
func (s *script) Close() error                { return nil }

var be = binary.BigEndian

func option(o nbd.Option, data string) []byte {
	p := be.AppendUint64(nil, 0x49484156454f5054)
	p = be.AppendUint32(p, uint32(o))
	p = be.AppendUint32(p, uint32(len(data)))
	return append(p, data...)
}

func request(kind nbd.Command, off uint64, n uint32) []byte {
	p := be.AppendUint32(nil, 0x25609513)
	p = be.AppendUint16(p, 0)
	p = be.AppendUint16(p, uint16(kind))
	p = be.AppendUint64(p, 1)
	p = be.AppendUint64(p, off)
	return be.AppendUint32(p, n)
}

const goE = "\x00\x00\x00\x01e\x00\x00"

func session(s *nbd.Server, input []byte) (sent int, err error) {
	c := &script{in: bytes.NewReader(input)}
	x := s.NewSession(c)
	e, err := x.Negotiate()
	if err == nil && e != nil {
		err = x.Transmit()
	}
	return c.out, err
}

// A client that says anything at all gets refusals or the end of its session.
func FuzzServer(f *testing.F) {
	flags := []byte{0, 0, 0, 3}
	join := func(parts ...[]byte) []byte { return bytes.Join(append([][]byte{flags}, parts...), nil) }
	f.Add(join(option(nbd.OptList, ""), option(nbd.OptAbort, "")))
	f.Add(join(option(nbd.OptStructuredReply, ""),
		option(nbd.OptSetMetaContext, "\x00\x00\x00\x01e\x00\x00\x00\x01\x00\x00\x00\x0fbase:allocation"),
		option(nbd.OptGo, goE), request(nbd.CmdRead, 0, 4096), request(nbd.CmdBlockStatus, 0, 1<<20)))
	f.Add(join(option(nbd.OptExportName, "e"), request(nbd.CmdWrite, 0, 4), []byte("data"), request(nbd.CmdDisc, 0, 0)))
	f.Add(join(option(nbd.OptInfo, goE), option(nbd.OptStartTLS, ""), option(77, "x")))
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, mode := range []nbd.TLSMode{nbd.TLSOff, nbd.TLSRequired} {
			d := nbdtest.New("e", 2*nbdtest.Granularity)
			d.Writable = true
			s := serve(d)
			s.TLS = mode
			s.Upgrade = func(nbd.Conn) (nbd.Conn, error) { return nil, errors.New("no TLS here") }
			_, err := session(s, input)
			if err == nil && len(input) < 4 {
				t.Error("a session without client flags ended well")
			}
		}
	})
}

// A server that says anything at all gives errors, not panics nor much memory.
func FuzzClient(f *testing.F) {
	var recorded bytes.Buffer
	d := disk("e")
	c := &recording{script{in: bytes.NewReader(append([]byte{0, 0, 0, 3}, bytes.Join([][]byte{
		option(nbd.OptStructuredReply, ""),
		option(nbd.OptSetMetaContext, "\x00\x00\x00\x01e\x00\x00\x00\x01\x00\x00\x00\x0fbase:allocation"),
		option(nbd.OptGo, goE), request(nbd.CmdRead, 0, 4096), request(nbd.CmdBlockStatus, 0, 4096),
	}, nil)...))}, &recorded}
	x := serve(d).NewSession(c)
	if _, err := x.Negotiate(); err != nil {
		f.Fatal(err)
	}
	_ = x.Transmit()
	f.Add(recorded.Bytes())
	f.Add(recorded.Bytes()[:60])
	f.Fuzz(func(_ *testing.T, input []byte) {
		k, err := nbd.Connect(&script{in: bytes.NewReader(input)})
		if err != nil {
			return
		}
		_ = k.StructuredReplies()
		_, _ = k.List()
		_, _ = k.SetMetaContexts("e", "base:allocation")
		if _, err := k.Go("e"); err != nil {
			return
		}
		_, _ = k.ReadAt(make([]byte, 4096), 0)
		_, _ = k.BlockStatus(0, 4096, 0)
		_ = k.Disconnect()
	})
}

type recording struct {
	script
	to *bytes.Buffer
}

func (r *recording) Write(p []byte) (int, error) { return r.to.Write(p) }

func TestServer_EndsSessionsThatBreakTheProtocol(t *testing.T) {
	flags := "\x00\x00\x00\x03"
	for name, input := range map[string]string{
		"unknown client flags":               "\x00\x00\x01\x00",
		"an option without magic":            flags + strings.Repeat("x", 16),
		"an option of 4 GiB":                 flags + string(option(nbd.OptList, "")[:12]) + "\xff\xff\xff\xff",
		"an option of a client of old":       "\x00\x00\x00\x00" + string(option(nbd.OptList, "")),
		"an export name that is too long":    flags + string(option(nbd.OptExportName, strings.Repeat("e", 4097))),
		"a request without magic":            flags + string(option(nbd.OptGo, goE)) + strings.Repeat("x", 28),
		"a write larger than can be skipped": flags + string(option(nbd.OptGo, goE)) + string(request(nbd.CmdWrite, 0, 1<<30)),
	} {
		if _, err := session(serve(disk("e")), []byte(input)); !errors.Is(err, nbd.ErrProtocol) {
			t.Errorf("%s: the session ended with %v", name, err)
		}
	}
}

func TestServer_EndsQuietlyWhenTheClientIsGone(t *testing.T) {
	whole := "\x00\x00\x00\x03" + string(option(nbd.OptGo, goE)) + string(request(nbd.CmdWrite, 0, 4)) + "data"
	d := disk("e")
	d.Writable = true
	for n := range len(whole) {
		_, err := session(serve(d), []byte(whole[:n]))
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// Before an export is open a client can make the server keep a few KiB, however
// long its strings are.
func TestServer_HoldsLittleForAClientThatOpenedNothing(t *testing.T) {
	long := strings.Repeat("q", 1<<20)
	query := string(be.AppendUint32(nil, uint32(len(long)))) + long
	data := "\x00\x00\x00\x01e\x00\x00\x00\x10" + strings.Repeat(query, 16)
	input := append([]byte{0, 0, 0, 3}, option(nbd.OptListMetaContext, data)...)
	input = append(input, option(98, strings.Repeat("z", 31<<20))...)
	s := serve(disk("e"))
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := session(s, input); err != nil {
				b.Fatal(err)
			}
		}
	})
	if got := result.AllocedBytesPerOp(); got > 64<<10 {
		t.Errorf("%d bytes were allocated", got)
	}
}

func TestTLS_RequiredServesNothingBeforeIt(t *testing.T) {
	s := serve(disk("e"))
	s.TLS = nbd.TLSRequired
	s.Upgrade = func(c nbd.Conn) (nbd.Conn, error) { return c, nil }
	if _, err := session(s, append([]byte{0, 0, 0, 3}, option(nbd.OptStartTLS, "x")...)); !errors.Is(err, nbd.ErrProtocol) {
		t.Errorf("STARTTLS with data: the session ended with %v", err)
	}
	k, _ := connect(t, s)
	var e *nbd.OptionError
	if _, err := k.List(); !errors.As(err, &e) || e.Errno != nbd.ErrTLSReqd || e.Message != "Option 0x3 not permitted before TLS" {
		t.Errorf("got %v", err)
	}
	must(t, k.StartTLS(s.Upgrade))
	if err := k.StartTLS(s.Upgrade); !errors.As(err, &e) || e.Message != "TLS already enabled" {
		t.Errorf("got %v", err)
	}
	_, err := k.Go("e")
	must(t, err)
	expectContent(t, k, disk("e"))
}

func TestTLS_ForgetsWhatWasNegotiatedInTheClear(t *testing.T) {
	s := serve(disk("e"))
	s.TLS = nbd.TLSOptional
	s.Upgrade = func(c nbd.Conn) (nbd.Conn, error) { return c, nil }
	k, _ := connect(t, s)
	must(t, k.StructuredReplies())
	must(t, k.StartTLS(s.Upgrade))
	if k.Structured() {
		t.Error("the client believes in structured replies that were negotiated in the clear")
	}
	must(t, k.StructuredReplies())
}

var _ nbd.Export = (*nbdtest.Disk)(nil)
