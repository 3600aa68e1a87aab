package sim

import (
	"testing"

	"fleece/machine"
	"fleece/qmp"
)

const enableMissing = `{"execute":"transaction","arguments":{"actions":[
	{"type":"block-dirty-bitmap-enable","data":{"node":"d","name":"missing"}}]}}`

func TestTransaction_AnswersWhereTheRealBinaryCrashes(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		expect(t, "enable", b.try(enableMissing), "Dirty bitmap 'missing' not found")
		b.add("a", "")
		for _, command := range []string{
			`{"execute":"block-dirty-bitmap-merge","arguments":{"node":"d","target":"a","bitmaps":[]}}`,
			`{"execute":"blockdev-reopen","arguments":{"options":[]}}`,
			`{"execute":"blockdev-add","arguments":{"driver":"null-co","node-name":"n","size":-1}}`,
		} {
			if b.try(command) == "" {
				t.Errorf("%s succeeds", command)
			}
		}
		if !b.p.Alive() {
			t.Error("the machine is dead")
		}
	})
}

func TestTransaction_DiesWhereTheRealBinaryCrashesIfAsked(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		p := b.w.NewProcess("crasher")
		_ = p.Call("main", func() {
			m, err := New(p, b.k.View(p), machine.Spec{Nodes: []qmp.Value{
				parse(`{"driver":"null-co","node-name":"d"}`),
			}}, Options{Schema: testSchema, Crash: CrashDies})
			b.must(err)
			mon := m.AddMonitor(func(qmp.Value) {})
			mon.Handle(parse(`{"execute":"qmp_capabilities"}`))
			mon.Handle(parse(enableMissing))
		})
		if p.Alive() {
			t.Error("the machine lives")
		}
	})
}

// {91}: the abort of an enable that was refused disables the bitmap.
func TestTransaction_ThatEnablesABusyBitmapLeavesItDisabled(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		b.add("a", `,"disabled":true`)
		b.qmp(`{"execute":"nbd-server-start","arguments":{"addr":{"type":"unix","data":{"path":"/img/n.sock"}}}}`)
		b.qmp(`{"execute":"block-export-add","arguments":{"type":"nbd","id":"e","node-name":"d","bitmaps":[{"node":"d","name":"a"}]}}`)
		b.add("z", "")
		b.in("look", func() { b.m.node("d").bitmaps.find("a").disabled = false })
		desc := b.try(`{"execute":"transaction","arguments":{"actions":[{"type":"block-dirty-bitmap-enable","data":{"node":"d","name":"a"}}]}}`)
		expect(t, "the reply", desc, "Bitmap 'a' is currently in use by another operation and cannot be used")
		expect(t, "bitmaps", b.bitmaps("d"), []string{"z 0 recording", "a 0 busy"})
	})
}

func TestTransaction_SeesWritesOfTheGuestWholeOrNotAtAll(t *testing.T) {
	for seed := range uint64(150) {
		inWorld(t, disk, &dice{seed}, func(b *bench) {
			b.target("t", disk)
			b.target("t0", disk)
			b.qmp(`{"execute":"blockdev-backup","arguments":{"device":"d","target":"t0","sync":"none","job-id":"old"}}`)
			ended := false
			b.p.Go("guest", func() {
				for i := range int64(24) {
					// Two halves of a request in two clusters.
					p := make([]byte, 1024)
					for k := range p {
						p[k] = byte(i + 1)
					}
					b.must(b.m.GuestWrite("disk", 65536-512, p))
				}
				ended = true
			})
			b.qmp(checkpointAndBackup)
			b.await("j concluded")
			for !ended {
				b.w.Spec().Sleep(chunkTimeDefault)
			}
			copied, now := b.content("t"), b.content("d")
			if copied[65536-512] != copied[65536] {
				t.Fatalf("seed %d: the backup has %d and %d of one request", seed, copied[65536-512], copied[65536])
			}
			if dirty := b.bitmaps("d")[0] != "c 0 recording persistent"; dirty != (copied[65536] != now[65536]) {
				t.Fatalf("seed %d: copy %d, disk %d, bitmaps %v", seed, copied[65536], now[65536], b.bitmaps("d"))
			}
		})
	}
}
