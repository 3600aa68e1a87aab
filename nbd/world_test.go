package nbd_test

import (
	"bytes"
	"errors"
	"io"
	"syscall"
	"testing"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/nbd"
	"fleece/rt"
	"fleece/rt/simrt"
)

// dice picks the next task by a seed (splitmix64).
type dice struct{ state uint64 }

func (d *dice) next(n int) int {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return int((z ^ (z >> 31)) % uint64(n))
}

func (d *dice) Pick(p *simrt.Point) int                  { return d.next(p.Len()) }
func (d *dice) Data(_ *simrt.Point, _ string, n int) int { return d.next(n) }

const socket = "/s"

// serveIn serves one client after the other as tasks of a process.
func serveIn(t *testing.T, p rt.Process, h host.Host, e nbd.Export) {
	l, err := h.Listen(host.Unix, socket)
	if err != nil {
		t.Error(err)
		return
	}
	p.Go("nbd-accept", func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.Go("nbd-session", func() {
				s := serve(e).NewSession(c)
				if x, err := s.Negotiate(); err == nil && x != nil {
					_ = s.Transmit() // the client sees the end
				}
				_ = c.Close()
			})
		}
	})
}

func readIn(h host.Host, p []byte) error {
	c, err := h.Dial(host.Unix, socket)
	if err != nil {
		return err
	}
	defer c.Close()
	k, err := nbd.Connect(c)
	if err != nil {
		return err
	}
	if err := k.StructuredReplies(); err != nil {
		return err
	}
	if _, err := k.Go("e"); err != nil {
		return err
	}
	if _, err := k.ReadAt(p, 0); err != nil {
		return err
	}
	return k.Disconnect()
}

func TestSession_RunsInASimulatedWorldUnderAnySchedule(t *testing.T) {
	d := disk("e")
	want := d.Content()
	for seed := range uint64(200) {
		got := make([]byte, len(want))
		r := simrt.Run(simrt.Options{Chooser: &dice{seed}}, func(w *simrt.World) {
			k := memhost.New(w.Kernel(), memhost.Options{})
			qemu := w.NewProcess("qemu")
			serveIn(t, qemu, k.View(qemu), d)
			if err := readIn(k.View(w.Spec()), got); err != nil {
				t.Error(err)
			}
			qemu.Kill()
		})
		if r.Failure != nil {
			t.Fatalf("seed %d: %v", seed, r.Failure)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: the content differs", seed)
		}
	}
}

func TestSession_OfAKilledServerEndsTheClientAtAnyPoint(t *testing.T) {
	d := disk("e")
	cut := 0
	for seed := range uint64(200) {
		got := make([]byte, d.Size())
		var err error
		r := simrt.Run(simrt.Options{Chooser: &dice{seed}}, func(w *simrt.World) {
			k := memhost.New(w.Kernel(), memhost.Options{})
			qemu := w.NewProcess("qemu")
			serveIn(t, qemu, k.View(qemu), d)
			killer := w.NewProcess("killer")
			killer.Go("kill", func() {
				for range seed % 40 {
					rt.Point(killer, "pause", "killer")
				}
				qemu.Kill()
			})
			err = readIn(k.View(w.Spec()), got)
		})
		if r.Failure != nil {
			t.Fatalf("seed %d: %v", seed, r.Failure)
		}
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNREFUSED)
		if err != nil && !ended {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err != nil {
			cut++
		} else if !bytes.Equal(got, d.Content()) {
			t.Fatalf("seed %d: the content differs", seed)
		}
	}
	if cut == 0 {
		t.Error("no kill came before the end")
	}
}
