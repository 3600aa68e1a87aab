package qmpfake_test

import (
	"bytes"
	"testing"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/nbd"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/rt/simrt"
)

const pullSocket = "/img/nbd"

// startPull makes the pull backup of both disks: scratch images over the disks,
// jobs that copy nothing but what the guest is about to change, exports.
func (c *client) startPull(size int64) {
	for i, n := range []string{"3", "4"} {
		source := string(rune('1' + i))
		f, err := c.host.OpenFile("/img/scratch"+n, host.ReadWrite|host.Create|host.Exclusive, 0o600)
		if err != nil {
			c.t.Fatal(err)
		}
		_ = f.Close()
		c.call("blockdev-add", storage("libvirt-"+n+"-storage", "/img/scratch"+n).Members()...)
		c.call("blockdev-create", qmp.M("job-id", qmp.Str("create"+n)), qmp.M("options", qmp.Dict(
			qmp.M("driver", qmp.Str("qcow2")), qmp.M("file", qmp.Str("libvirt-"+n+"-storage")), qmp.M("size", qmp.Int(size)),
			qmp.M("backing-file", qmp.Str("/img/disk"+source+".qcow2")), qmp.M("backing-fmt", qmp.Str("qcow2")))))
		c.await("create" + n + " concluded")
		c.call("job-dismiss", qmp.M("id", qmp.Str("create"+n)))
		c.call("blockdev-add", qmp.M("node-name", qmp.Str("libvirt-"+n+"-format")), qmp.M("driver", qmp.Str("qcow2")),
			qmp.M("file", qmp.Str("libvirt-"+n+"-storage")), qmp.M("backing", qmp.Str("libvirt-"+source+"-format")))
	}
	c.call("nbd-server-start", qmp.M("addr", qmp.UnixAddress{Path: pullSocket}.SocketAddress()))
	backup := func(n, t string) qmp.Value {
		return action("blockdev-backup", qmp.M("device", qmp.Str("libvirt-"+n+"-format")), qmp.M("target", qmp.Str("libvirt-"+t+"-format")),
			qmp.M("job-id", qmp.Str("backup"+n)), qmp.M("sync", qmp.Str("none")), qmp.M("auto-dismiss", qmp.Bool(false)))
	}
	c.call("transaction", qmp.M("actions", qmp.List(backup("1", "3"), backup("2", "4"))))
	for i, n := range []string{"3", "4"} {
		c.call("block-export-add", qmp.M("type", qmp.Str("nbd")), qmp.M("id", qmp.Str("export"+n)),
			qmp.M("node-name", qmp.Str("libvirt-"+n+"-format")), qmp.M("name", qmp.Str("vd"+string(rune('a'+i)))))
	}
}

// endPull stops it again.
func (c *client) endPull() {
	c.call("nbd-server-stop")
	for i, n := range []string{"3", "4"} {
		source := string(rune('1' + i))
		c.call("job-cancel", qmp.M("id", qmp.Str("backup"+source)))
		c.await("backup" + source + " concluded")
		c.call("job-dismiss", qmp.M("id", qmp.Str("backup"+source)))
		c.call("blockdev-del", qmp.M("node-name", qmp.Str("libvirt-"+n+"-format")))
		c.call("blockdev-del", qmp.M("node-name", qmp.Str("libvirt-"+n+"-storage")))
	}
}

// readExport reads a whole export.
func readExport(t testing.TB, h host.Host, name string) []byte {
	conn, err := h.Dial(host.Unix, pullSocket)
	if err != nil {
		t.Fatal(err)
	}
	k, err := nbd.Connect(conn)
	if err == nil {
		err = k.StructuredReplies()
	}
	if err == nil {
		_, err = k.Go(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, k.Size())
	for off := 0; off < len(p); off += 256 << 10 {
		if _, err := k.ReadAt(p[off:min(len(p), off+256<<10)], int64(off)); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Disconnect(); err != nil {
		t.Fatal(err)
	}
	return p
}

// pullCycle reads both exports while the guest writes, and again afterwards.
func pullCycle(t testing.TB, w rt.World, me rt.Process, opts qmpfake.Options) {
	const size = 2 * mib
	k := memhost.New(w.Kernel(), memhost.Options{})
	if err := k.MkdirAll("/img"); err != nil {
		t.Fatal(err)
	}
	hv, err := qmpfake.NewHypervisor(w, func(p rt.Process) host.Host { return k.View(p) }, opts)
	if err != nil {
		t.Fatal(err)
	}
	h := k.View(me)
	spec, err := twoDisks(h, size)
	if err != nil {
		t.Fatal(err)
	}
	m, err := hv.Launch(spec)
	if err != nil {
		t.Fatal(err)
	}
	q, err := m.Dial(me)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: q, host: h}
	c.recv()
	c.call("qmp_capabilities")
	want := [2][]byte{make([]byte, size), make([]byte, size)}
	write := func(disk int, off int64, b byte) {
		if err := m.Sim().GuestWrite("virtio-disk"+string(rune('0'+disk)), off, bytes.Repeat([]byte{b}, 4096)); err != nil {
			t.Error(err)
		}
	}
	_ = m.Process().Call("guest", func() {
		for i := range 16 {
			off := int64(i) * 100 << 10
			write(i%2, off, byte(i+1))
			copy(want[i%2][off:], bytes.Repeat([]byte{byte(i + 1)}, 4096))
		}
	})
	c.startPull(size)
	guest := w.NewProcess("guest")
	guest.Go("guest", func() {
		_ = m.Process().Call("guest", func() {
			for i := range 16 {
				write(i%2, int64(i)*70<<10, 0xee)
			}
		})
	})
	for range 2 {
		for i, name := range []string{"vda", "vdb"} {
			if !bytes.Equal(readExport(t, h, name), want[i]) {
				t.Errorf("%s is not the disk as it was at the start", name)
			}
		}
	}
	c.endPull()
	if _, err := h.Stat(pullSocket); err == nil {
		t.Error("the socket is still there")
	}
	c.call("quit")
}

func TestHypervisor_ServesTheStartOfAPullBackupUnderAnySchedule(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	pool := simrt.NewPool(0)
	for seed := range uint64(60) {
		r := simrt.Run(simrt.Options{Pool: pool, Chooser: &dice{seed}}, func(w *simrt.World) {
			pullCycle(t, w, w.Spec(), qmpfake.Options{Schema: schema})
		})
		if r.Failure != nil {
			t.Fatalf("seed %d: %+v", seed, r.Failure)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
