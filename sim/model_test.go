package sim

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// guestOp is one request of the guest.
type guestOp struct {
	kind   int // 0 write, 1 zeroes, 2 discard
	off, n int64
	fill   byte
}

func drawOps(t *rapid.T, name string, size int64, most int, kinds ...int) []guestOp {
	ops := make([]guestOp, rapid.IntRange(0, most).Draw(t, name))
	for i := range ops {
		off := rapid.Int64Range(0, size/512-1).Draw(t, "sector") * 512
		ops[i] = guestOp{
			kind: rapid.SampledFrom(kinds).Draw(t, "kind"), off: off,
			n:    min(rapid.Int64Range(1, 300).Draw(t, "sectors")*512, size-off),
			fill: byte(rapid.IntRange(1, 255).Draw(t, "fill")),
		}
	}
	return ops
}

func (o guestOp) do(m *Machine) error {
	switch o.kind {
	case 1:
		return m.GuestZero("disk", o.off, o.n)
	case 2:
		return m.GuestDiscard("disk", o.off, o.n)
	}
	return m.GuestWrite("disk", o.off, bytes.Repeat([]byte{o.fill}, int(o.n)))
}

// apply does the request on a flat disk. A discard drops whole clusters.
func (o guestOp) apply(p []byte) {
	lo, hi, fill := o.off, o.off+o.n, o.fill
	if o.kind != 0 {
		fill = 0
	}
	if o.kind == 2 {
		const cluster = 64 << 10
		lo = (lo + cluster - 1) / cluster * cluster
		if hi != int64(len(p)) {
			hi = hi / cluster * cluster
		}
	}
	for i := lo; i < hi; i++ {
		p[i] = fill
	}
}

const checkpointAndBackup = `{"execute":"transaction","arguments":{"actions":[
	{"type":"block-dirty-bitmap-add","data":{"node":"d","name":"c","persistent":true}},
	{"type":"blockdev-backup","data":{"device":"d","target":"t","sync":"full","job-id":"j","auto-dismiss":false}}]}}`

func TestBackup_IsThePointInTimeWhateverTheGuestWritesMeanwhile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int64{1 << 20, 3<<20 + 512, 5 << 20}).Draw(t, "size")
		before := drawOps(t, "before", size, 8, 0, 0, 0, 1, 2)
		// Not discards: whether the filter that drops them is there, is a race.
		store := rapid.SampledFrom([]string{"", "", "data", "raw"}).Draw(t, "store")
		during := drawOps(t, "during", size, 12, 0, 0, 1)
		after := drawOps(t, "after", size, 4, 0, 1, 2)
		noise := rapid.SliceOfN(rapid.SampledFrom([]string{
			`{"execute":"transaction","arguments":{"actions":[]}}`,
			`{"execute":"job-pause","arguments":{"id":"j"}}`, `{"execute":"job-resume","arguments":{"id":"j"}}`,
			`{"execute":"stop"}`, `{"execute":"cont"}`, `{"execute":"query-jobs"}`,
			`{"execute":"block-job-set-speed","arguments":{"device":"j","speed":4000000}}`,
			`{"execute":"block-job-set-speed","arguments":{"device":"j","speed":0}}`,
		}), 0, 6).Draw(t, "noise")
		seed := rapid.Uint64().Draw(t, "seed")
		inWorld(t, size, &dice{seed}, func(b *bench) {
			disk := make([]byte, size)
			if store != "" {
				b.overDataFile(size, store == "raw")
			}
			b.target("t", size)
			for _, o := range before {
				b.in("guest", func() { b.must(o.do(b.m)) })
				o.apply(disk)
			}
			point := bytes.Clone(disk)
			b.qmp(checkpointAndBackup)
			var marks runSet
			ended := false
			b.p.Go("guest", func() {
				for _, o := range during {
					b.must(o.do(b.m))
					o.apply(disk)
					marks.add(o.off>>16, (o.off+o.n-1)>>16+1)
				}
				ended = true
			})
			for _, command := range noise {
				b.try(command) // whatever the state, it may be refused
			}
			b.try(`{"execute":"job-resume","arguments":{"id":"j"}}`)
			b.await("j concluded")
			for !ended {
				b.w.Spec().Sleep(chunkTimeDefault)
			}
			for _, o := range after {
				b.in("guest", func() { b.must(o.do(b.m)) })
				o.apply(disk)
				marks.add(o.off>>16, (o.off+o.n-1)>>16+1)
			}
			if !bytes.Equal(b.content("t"), point) {
				t.Fatalf("the backup is not the disk at its start; events %v", b.events)
			}
			if !bytes.Equal(b.content("d"), disk) {
				t.Fatalf("the disk is not what the guest wrote")
			}
			b.in("look", func() {
				if got := b.m.node("d").bitmaps.find("c").bits.runs; !equalRuns(got, marks.runs) {
					t.Fatalf("bitmap %v, the guest touched %v", got, marks.runs)
				}
			})
			if store != "" {
				b.quit()
				b.expectFiles(disk, store == "raw")
			}
		})
	})
}

func equalRuns(a, b []run) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
