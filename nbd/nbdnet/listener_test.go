package nbdnet_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"fleece/nbd"
	"fleece/nbd/nbdnet"
	"fleece/nbd/nbdtest"
)

func TestListener_DropsAClientThatDoesNotFinishItsHandshake(t *testing.T) {
	ended := make(chan error, 1)
	socket := listen(t, nbdnet.Options{Source: nbd.Exports{disk()}, Handshake: time.Millisecond, OnEnd: func(err error) { ended <- err }})
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.ReadAll(c); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("a handshake without a word ended well")
	}
}

func TestListener_KeepsTheNextClientUngreetedUntilASlotIsFree(t *testing.T) {
	socket := listen(t, nbdnet.Options{Source: nbd.Exports{disk()}, Connections: 1})
	first := dial(t, socket)
	waiting, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if _, err := first.Go("e"); err != nil {
		t.Fatal(err)
	}
	if err := first.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if _, err := nbd.Connect(waiting); err != nil {
		t.Error(err)
	}
}

func TestListener_DropEndsTheSessionsOfOneExport(t *testing.T) {
	e, f := disk(), disk()
	f.ExportName = "f"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := nbdnet.Listen(l, nbdnet.Options{Source: nbd.Exports{e, f}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	open := func(name string) *nbd.Client {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		k, err := nbd.Connect(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Go(name); err != nil {
			t.Fatal(err)
		}
		if _, err := k.ReadAt(make([]byte, 1), 0); err != nil { // the server has noted the export
			t.Fatal(err)
		}
		return k
	}
	ofE, ofF := open("e"), open("f")
	if s.Users(e) != 1 || s.Users(f) != 1 {
		t.Errorf("%d and %d users, want one each", s.Users(e), s.Users(f))
	}
	if n := s.Drop(e); n != 1 {
		t.Errorf("%d sessions were dropped", n)
	}
	if _, err := ofE.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("a dropped client was served")
	}
	if _, err := ofF.ReadAt(make([]byte, 1), 0); err != nil {
		t.Error(err)
	}
}

func TestListener_CloseEndsEverySession(t *testing.T) {
	var mu sync.Mutex
	ends := 0
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := nbdnet.Listen(l, nbdnet.Options{Source: nbd.Exports{disk()}, OnEnd: func(error) { mu.Lock(); ends++; mu.Unlock() }})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := nbd.Connect(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if ends != 3 {
		t.Errorf("%d sessions had ended when Close returned", ends)
	}
}

// The lower half of the disk does not change while the upper half is written.
func TestListener_ServesManyClientsWhileOthersWrite(t *testing.T) {
	const clients, reads = 64, 20
	d := disk()
	d.Writable = true
	want := d.Content()
	socket := listen(t, nbdnet.Options{Source: nbd.Exports{d}})
	var all sync.WaitGroup
	for i := range clients {
		k := dial(t, socket)
		if i%2 == 0 {
			if err := k.StructuredReplies(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := k.Go("e"); err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, uint64(i)))
		all.Go(func() {
			for range reads {
				off, n := random.Int64N(2*mib), random.IntN(mib/8)
				p := make([]byte, n)
				if _, err := k.ReadAt(p, off); err != nil || !bytes.Equal(p, want[off:][:n]) {
					t.Errorf("client %d: wrong bytes at %d (%v)", i, off, err)
					return
				}
				if _, err := k.WriteAt(p[:n/64], 4*mib+random.Int64N(mib)); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			}
			if err := k.Disconnect(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

var _ nbd.Export = (*nbdtest.Disk)(nil)
