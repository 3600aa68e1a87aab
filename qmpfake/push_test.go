package qmpfake_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/rt/realrt"
	"fleece/rt/simrt"
	"fleece/sim"
)

func storage(name, path string) qmp.Value {
	return qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str(path)), qmp.M("node-name", qmp.Str(name)),
		qmp.M("auto-read-only", qmp.Bool(true)), qmp.M("discard", qmp.Str("unmap")))
}

func format(name, file string) qmp.Value {
	return qmp.Dict(qmp.M("node-name", qmp.Str(name)), qmp.M("read-only", qmp.Bool(false)), qmp.M("driver", qmp.Str("qcow2")),
		qmp.M("file", qmp.Str(file)), qmp.M("backing", qmp.Null()))
}

// twoDisks is a machine as libvirt would start it.
func twoDisks(h host.Host, size int64) (machine.Spec, error) {
	spec := machine.Spec{Name: "vm", Paused: true}
	for i, path := range []string{"/img/disk1.qcow2", "/img/disk2.qcow2"} {
		if err := sim.CreateImage(h, path, size, 0, 3); err != nil {
			return spec, err
		}
		n := string(rune('1' + i))
		spec.Nodes = append(spec.Nodes, storage("libvirt-"+n+"-storage", path), format("libvirt-"+n+"-format", "libvirt-"+n+"-storage"))
		spec.Devices = append(spec.Devices, machine.Device{Driver: "virtio-blk-pci", ID: "virtio-disk" + string(rune('0'+i)), Drive: "libvirt-" + n + "-format"})
	}
	return spec, nil
}

type client struct {
	t      testing.TB
	conn   qmp.Conn
	host   host.Host
	nextID int64
	events []string
}

// call sends a command and returns its result.
func (c *client) call(name string, args ...qmp.Member) qmp.Value {
	c.nextID++
	if err := c.conn.Send(qmp.Command{Name: name, Args: qmp.Dict(args...)}.Message(qmp.Int(c.nextID))); err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
	for {
		m := c.recv()
		if v := m.Get("error"); v.Present() {
			c.t.Fatalf("%s: %v", name, v)
		}
		if v := m.Get("return"); v.Present() {
			return v
		}
	}
}

func (c *client) recv() qmp.Value {
	m, err := c.conn.Recv()
	if err != nil {
		c.t.Fatalf("recv: %v", err)
	}
	if e, ok := qmp.ParseEvent(m); ok {
		c.events = append(c.events, e.Data.Get("id").S()+" "+e.Data.Get("status").S())
	}
	return m
}

func (c *client) await(event string) {
	for {
		for i, e := range c.events {
			if e == event {
				c.events = append(c.events[:i:i], c.events[i+1:]...)
				return
			}
		}
		c.recv()
	}
}

func (c *client) createTarget(n string, size int64) {
	f, err := c.host.OpenFile("/img/full"+n+".qcow2", host.ReadWrite|host.Create|host.Exclusive, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = f.Close()
	c.call("blockdev-add", storage("libvirt-"+n+"-storage", "/img/full"+n+".qcow2").Members()...)
	c.call("blockdev-create", qmp.M("job-id", qmp.Str("create"+n)), qmp.M("options", qmp.Dict(
		qmp.M("driver", qmp.Str("qcow2")), qmp.M("file", qmp.Str("libvirt-"+n+"-storage")), qmp.M("size", qmp.Int(size)))))
	c.await("create" + n + " concluded")
	c.call("query-jobs")
	c.call("job-dismiss", qmp.M("id", qmp.Str("create"+n)))
	c.call("blockdev-add", format("libvirt-"+n+"-format", "libvirt-"+n+"-storage").Members()...)
}

func action(kind string, data ...qmp.Member) qmp.Value {
	return qmp.Dict(qmp.M("type", qmp.Str(kind)), qmp.M("data", qmp.Dict(data...)))
}

func (c *client) pushBoth(size int64) {
	c.createTarget("3", size)
	c.createTarget("4", size)
	add := func(n string) qmp.Value {
		return action("block-dirty-bitmap-add", qmp.M("node", qmp.Str("libvirt-"+n+"-format")), qmp.M("name", qmp.Str("chk1")), qmp.M("persistent", qmp.Bool(true)))
	}
	backup := func(n, t string) qmp.Value {
		return action("blockdev-backup", qmp.M("device", qmp.Str("libvirt-"+n+"-format")), qmp.M("target", qmp.Str("libvirt-"+t+"-format")),
			qmp.M("job-id", qmp.Str("backup"+n)), qmp.M("sync", qmp.Str("full")), qmp.M("auto-dismiss", qmp.Bool(false)))
	}
	c.call("transaction", qmp.M("actions", qmp.List(add("1"), add("2"), backup("1", "3"), backup("2", "4"))))
	c.await("backup1 concluded")
	c.await("backup2 concluded")
	c.call("query-jobs")
	for _, n := range []string{"1", "2"} {
		c.call("job-dismiss", qmp.M("id", qmp.Str("backup"+n)))
	}
	for _, n := range []string{"3", "4"} {
		c.call("blockdev-del", qmp.M("node-name", qmp.Str("libvirt-"+n+"-format")))
		c.call("blockdev-del", qmp.M("node-name", qmp.Str("libvirt-"+n+"-storage")))
	}
	c.call("query-named-block-nodes", qmp.M("flat", qmp.Bool(true)))
}

const mib = 1 << 20

// pushCycle is a whole full push backup of two disks with a checkpoint.
func pushCycle(t testing.TB, w rt.World, me rt.Process, opts qmpfake.Options, check func(host.Host)) {
	k := memhost.New(w.Kernel(), memhost.Options{})
	if err := k.MkdirAll("/img"); err != nil {
		t.Fatal(err)
	}
	h := k.View(me)
	hv, err := qmpfake.NewHypervisor(w, func(p rt.Process) host.Host { return k.View(p) }, opts)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := twoDisks(h, 16*mib)
	if err != nil {
		t.Fatal(err)
	}
	m, err := hv.Launch(spec)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := hv.For(me).Attach("vm")
	if err != nil {
		t.Fatal(err)
	}
	q, err := conn.Dial()
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: q, host: h}
	c.recv()
	c.call("qmp_capabilities")
	sector := make([]byte, 512)
	_ = m.Process().Call("guest", func() {
		for i := range 20 {
			sector[0] = byte(i + 1)
			dev := "virtio-disk" + string(rune('0'+i&1))
			if err := m.Sim().GuestWrite(dev, int64(i)*700*1024, sector); err != nil {
				t.Error(err)
			}
		}
	})
	c.call("cont")
	c.pushBoth(16 * mib)
	c.call("quit")
	if _, err := c.conn.Recv(); err == nil {
		t.Error("the connection is still open after quit")
	}
	if check != nil {
		check(h)
	}
}

func TestHypervisor_RunsAFullPushBackupOfTwoDisks(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := simrt.Run(simrt.Options{KeepLog: true}, func(w *simrt.World) {
		pushCycle(t, w, w.Spec(), qmpfake.Options{Schema: schema}, func(h host.Host) { dumpImages(t, h, dir) })
	})
	if r.Failure != nil {
		t.Fatalf("%+v", r.Failure)
	}
	for _, pair := range [][2]string{{"disk1", "full3"}, {"disk2", "full4"}} {
		qemuImg(t, "check", dir+"/"+pair[0]+".qcow2")
		qemuImg(t, "check", dir+"/"+pair[1]+".qcow2")
		qemuImg(t, "compare", dir+"/"+pair[0]+".qcow2", dir+"/"+pair[1]+".qcow2")
	}
	t.Logf("points %d steps %d elapsed %v", r.Points, r.Steps, r.Elapsed)
}

// dumpImages copies the images of a host into a real directory.
func dumpImages(t testing.TB, h host.Host, dir string) {
	names, err := h.ReadDir("/img")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := host.ReadFile(h, "/img/"+name, 1<<30)
		if err == nil {
			err = os.WriteFile(dir+"/"+name, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// qemuImg runs qemu-img; without it the test is skipped, but not in CI.
func qemuImg(t testing.TB, args ...string) {
	t.Helper()
	path, err := exec.LookPath("qemu-img")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("qemu-img is required in CI: ", err)
		}
		t.Skip("qemu-img is not installed: ", err)
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("qemu-img %v: %v\n%s", args, err, out)
	}
}

// dice is a chooser that takes unlikely turns; it is a function of its seed.
type dice struct{ state uint64 }

func (d *dice) next(n int) int {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

func (d *dice) Pick(p *simrt.Point) int                  { return d.next(p.Len()) }
func (d *dice) Data(_ *simrt.Point, _ string, n int) int { return d.next(n) }

func TestHypervisor_RunsAPushBackupUnderAnySchedule(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	pool := simrt.NewPool(0)
	defer pool.Close()
	for seed := range uint64(40) {
		run := func(wire bool) simrt.Result {
			return simrt.Run(simrt.Options{Pool: pool, Chooser: &dice{seed}}, func(w *simrt.World) {
				pushCycle(t, w, w.Spec(), qmpfake.Options{Schema: schema, Wire: wire}, func(h host.Host) { compareImages(t, w, h, schema) })
			})
		}
		r := run(false)
		if r.Failure != nil {
			t.Fatalf("seed %d: %+v", seed, r.Failure)
		}
		if again := run(true); again.Hash != r.Hash {
			t.Fatalf("seed %d: the same choices gave another run over bytes", seed)
		}
	}
}

// compareImages opens the four images with one more machine and reads them.
func compareImages(t testing.TB, w *simrt.World, h host.Host, schema *qmp.Schema) {
	spec := machine.Spec{Name: "look"}
	for _, name := range []string{"disk1", "disk2", "full3", "full4"} {
		spec.Nodes = append(spec.Nodes, storage("s-"+name, "/img/"+name+".qcow2"), format(name, "s-"+name))
		spec.Devices = append(spec.Devices, machine.Device{Driver: "virtio-blk-pci", ID: name, Drive: name})
	}
	p := w.NewProcess("look")
	_ = p.Call("look", func() {
		m, err := sim.New(p, h, spec, sim.Options{Schema: schema})
		if err != nil {
			t.Error(err)
			return
		}
		for _, pair := range [][2]string{{"disk1", "full3"}, {"disk2", "full4"}} {
			a, b := make([]byte, 16*mib), make([]byte, 16*mib)
			if err := errors.Join(m.GuestRead(pair[0], 0, a), m.GuestRead(pair[1], 0, b)); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(a, b) {
				t.Errorf("%s is not a copy of %s", pair[1], pair[0])
			}
		}
	})
	p.Kill()
}

func TestHypervisor_RunsOnGoroutines(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	w := realrt.NewWorld()
	me := w.NewProcess("spec")
	dir := t.TempDir()
	if err := me.Call("main", func() {
		pushCycle(t, w, me, qmpfake.Options{Schema: schema}, func(h host.Host) { dumpImages(t, h, dir) })
	}); err != nil {
		t.Fatal(err)
	}
	qemuImg(t, "compare", dir+"/disk1.qcow2", dir+"/full3.qcow2")
}

func BenchmarkPushCycle(b *testing.B) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		b.Fatal(err)
	}
	pool := simrt.NewPool(0)
	defer pool.Close()
	b.ReportAllocs()
	for b.Loop() {
		r := simrt.Run(simrt.Options{Pool: pool}, func(w *simrt.World) { pushCycle(b, w, w.Spec(), qmpfake.Options{Schema: schema}, nil) })
		if r.Failure != nil {
			b.Fatalf("%+v", r.Failure)
		}
	}
}
