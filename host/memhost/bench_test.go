package memhost_test

import (
	"testing"

	"fleece/host"
	"fleece/host/hosttest"
	"fleece/host/memhost"
)

// One simulated image: create, a few clusters, read back, sync, unlink.
func BenchmarkImageLife(b *testing.B) {
	k := memhost.New(hosttest.NewProcess("kernel"), memhost.Options{})
	h := k.View(hosttest.NewProcess("p"))
	cluster := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		f, _ := h.OpenFile("/i", host.ReadWrite|host.Create, 0o600)
		for i := range int64(4) {
			_, _ = f.WriteAt(cluster, i<<40)
			_, _ = f.ReadAt(cluster, i<<40)
		}
		_ = f.Sync()
		_ = f.Close()
		_ = h.Remove("/i")
	}
}

func BenchmarkWriteSector(b *testing.B) {
	k := memhost.New(hosttest.NewProcess("kernel"), memhost.Options{})
	h := k.View(hosttest.NewProcess("p"))
	f, _ := h.OpenFile("/i", host.ReadWrite|host.Create, 0o600)
	sector := make([]byte, 512)
	b.ReportAllocs()
	off := int64(0)
	for b.Loop() {
		_, _ = f.WriteAt(sector, off%(1<<20))
		off += 512
	}
}
