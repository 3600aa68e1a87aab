package qcow2_test

import (
	"testing"

	"fleece/host"
	"fleece/qcow2"
)

// Files of the host are what images are written into and read from.
var (
	_ qcow2.File = host.File(nil)
	_ interface {
		ReadAt([]byte, int64) (int, error)
	} = host.File(nil)
)

func TestLargeImages(t *testing.T) {
	needTool(t, "qemu-img")
	for _, c := range []struct {
		name string
		img  *qcow2.Image
	}{
		{"refcount blocks of 512 bytes count themselves and their table", &qcow2.Image{
			Size: 40 << 20, ClusterBits: 9, Runs: []qcow2.Run{{Length: 40 << 20, Data: pattern(1, 40<<20)}}}},
		{"the largest disk of 512-byte clusters", &qcow2.Image{
			Size: 128 << 30, ClusterBits: 9, Runs: []qcow2.Run{{Offset: 128<<30 - 512, Length: 512, Data: pattern(2, 512)}}}},
		{"16 TiB, and data at both ends and far beyond 4 GiB", &qcow2.Image{
			Size: 16 << 40,
			Runs: []qcow2.Run{
				{Length: 65536, Data: pattern(3, 65536)},
				{Offset: 9 << 40, Length: 3 << 16, Data: pattern(4, 3<<16)},
				{Offset: 9<<40 + 3<<16, Length: 1 << 33, Kind: qcow2.Zero},
				{Offset: 16<<40 - 65536, Length: 65536, Data: pattern(5, 65536)},
			},
			Bitmaps: []qcow2.Bitmap{
				{Name: "all", Granularity: 65536, Dirty: []qcow2.Range{{Length: 16 << 40}}},
				{Name: "ends", Granularity: 65536, Auto: true, Dirty: []qcow2.Range{{Length: 1}, {Offset: 16<<40 - 1, Length: 1}}},
			}}},
		{"clusters of 2 MiB", &qcow2.Image{
			Size: 1<<50 + 512, ClusterBits: 21, Runs: []qcow2.Run{{Offset: 1 << 50, Length: 512, Data: pattern(6, 512)}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.img.ClusterBits == 0 {
				c.img.ClusterBits = qcow2.ClusterBitsDefault
			}
			m := written(t, c.img)
			sameImage(t, opened(t, m), c.img)
			ours := clean(t, m)
			if got := askCheck(t, stored(t, m, "large.qcow2")); got.Errors+got.Corruptions+got.Leaks != 0 || got.ImageEnd != ours.ImageEnd {
				t.Errorf("qemu-img check: %+v, ours %+v", got, ours)
			}
		})
	}
}
