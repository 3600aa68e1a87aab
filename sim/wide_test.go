package sim

import (
	"bytes"
	"testing"

	"fleece/qcow2"
)

// In an image beyond wideZeroTables only the tables that hold data are made, and
// those record every cluster, as QEMU's do.
func TestMachine_ABackupOfAFewClustersOfAHugeDiskMakesTheirTablesOnly(t *testing.T) {
	const huge, written, apart = 16 << 40, 10, 7<<30 + 3<<16 // 14 tables apart
	inWorld(t, huge, nil, func(b *bench) {
		b.target("t", huge)
		for i := range int64(written) {
			b.write(i*apart, bytes.Repeat([]byte{byte(i + 1)}, 512))
		}
		b.qmp(`{"execute":"blockdev-backup","arguments":{"device":"d","target":"t","sync":"full","job-id":"j"}}`)
		b.await("j null")
		b.in("look", func() {
			if n := len(b.m.node("t").image().tables); n != written {
				t.Errorf("%d tables for %d clusters, each in a table of its own", n, written)
			}
		})
		b.qmp(`{"execute":"blockdev-del","arguments":{"node-name":"t"}}`)
		f, err := b.host().OpenFile(dir+"/t.qcow2", 0, 0)
		b.must(err)
		size, err := f.Size()
		b.must(err)
		r := new(qcow2.Reader)
		b.must(r.Reset(f, size, qcow2.Options{}))
		for i := range int64(written) {
			at := i * apart
			for off, want := range map[int64]qcow2.Kind{at: qcow2.Data, at + 64<<10: qcow2.Zero, at + 1<<30: qcow2.Unallocated} {
				if _, kind, err := r.Next(off); err != nil || kind != want {
					t.Errorf("at %d: kind %v, want %v (%v)", off, kind, want, err)
				}
			}
		}
	})
}
