package walk

import "fmt"

const sector = 512

// span is a range of a disk of that size: small or large, aligned or not.
func (w *Walker) span(size int64) (off, n int64) {
	unit := one(w.d, int64(sector), sector, 4096, 65536)
	units := max(size/unit, 1)
	off = int64(w.d.N(int(min(units, 1<<20)))) * unit
	n = int64(1+w.d.N(8)) * unit
	if w.d.In(8) {
		n = int64(1+w.d.N(16)) * 65536
	}
	if w.d.In(20) {
		off, n = off+int64(w.d.N(sector)), n-int64(w.d.N(sector/2))
	}
	if !w.d.In(60) {
		n = min(n, size-off)
	}
	return off, max(n, 1)
}

// write is guest I/O through a device.
func (w *Walker) write() Step {
	i := w.d.N(disks)
	size := w.setup.Files[i].Size
	if n := w.v.find(fmt.Sprintf("d%d", i)); n != nil {
		size = n.size
	}
	device := fmt.Sprintf("vd%d/virtio-backend", i)
	if w.d.In(50) {
		device = one(w.d, "vd0", unknown, "/machine/peripheral/vd1/virtio-backend")
	}
	return human(fmt.Sprintf(`qemu-io -d %s "%s"`, device, w.request(size)))
}

// nodeIO is I/O through a backend of the human monitor's own.
func (w *Walker) nodeIO() Step {
	name := w.node("qcow2", "raw", "copy-before-write")
	if name == "" {
		name = unknown
	}
	size := int64(1 << 20)
	if n := w.v.find(name); n != nil {
		size = n.size
	}
	return human(fmt.Sprintf(`qemu-io %s "%s"`, name, w.request(size)))
}

func (w *Walker) request(size int64) string {
	off, n := w.span(size)
	switch w.d.N(12) {
	case 0:
		return fmt.Sprintf("write -z %d %d", off, n)
	case 1:
		return fmt.Sprintf("discard %d %d", off, n)
	case 2:
		return fmt.Sprintf("read -P %d %d %d", w.d.N(4), off, n)
	case 3:
		return "flush"
	case 4:
		return fmt.Sprintf("write -z -u %d %d", off, n)
	}
	return fmt.Sprintf("write -P %d %d %d", 1+w.d.N(200), off, n)
}
