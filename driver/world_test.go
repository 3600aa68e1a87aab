package driver_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fleece/driver"
	"fleece/host"
	"fleece/host/memhost"
	"fleece/machine"
	"fleece/qcow2"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/rt/simrt"
	"fleece/sim"
	"fleece/virt"
)

// world is a simulated world with a host, a hypervisor and the driver under test.
type world struct {
	*simrt.World
	kernel *memhost.Kernel
	hv     *qmpfake.Hypervisor
	// onCommand, if set, sees each command of the driver before QEMU does; an
	// answer other than "" is the error reply instead of QEMU's.
	onCommand func(cmd string) string
	commands  []string

	// hold makes jobs stall after their first MiB.
	hold bool
	// steps counts what the driver does to the world: each file operation, and
	// each command before and after it is sent. The driver dies at step killAt.
	steps, killAt int

	p      rt.Process
	d      *driver.Driver
	conn   *virt.Conn
	dom    *virt.Domain
	events []virt.Event
}

// loadSchema reads QEMU's schema once for all tests.
var loadSchema = sync.OnceValues(qmp.LoadSchema)

const diskBytes = 4 << 20

// inWorld runs a test in a fresh simulated world.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	runWorld(t, simrt.Options{}, test)
}

func runWorld(t testing.TB, opts simrt.Options, test func(w *world)) {
	t.Helper()
	schema, err := loadSchema()
	if err != nil {
		t.Fatal(err)
	}
	result := simrt.Run(opts, func(sw *simrt.World) {
		w := &world{World: sw, kernel: memhost.New(sw.Kernel(), memhost.Options{})}
		w.must(w.kernel.MkdirAll("/state"))
		w.must(w.kernel.MkdirAll("/i"))
		w.must(w.kernel.MkdirAll("/t"))
		view := func(p rt.Process) host.Host { return w.kernel.View(p) }
		w.hv, err = qmpfake.NewHypervisor(sw, view, qmpfake.Options{Schema: schema, Crash: sim.CrashDies})
		w.must(err)
		w.image("/i/a")
		w.image("/i/b")
		test(w)
	})
	if result.Failure != nil {
		t.Fatalf("%s: %s\n%s", result.Failure.Kind, result.Failure.Detail, result.Failure.Stack)
	}
}

func (w *world) must(err error) {
	if err != nil {
		w.Fail("check", err.Error())
	}
}

func (w *world) check(ok bool, format string, args ...any) {
	if !ok {
		w.Fail("check", fmt.Sprintf(format, args...))
	}
}

func (w *world) image(path string) {
	h := w.kernel.View(w.Spec())
	f, err := h.OpenFile(path, host.ReadWrite|host.Create|host.Exclusive, 0o600)
	w.must(err)
	w.must(makeImage(f))
	w.must(f.Close())
}

// start starts a driver over the state directory.
func (w *world) start() { w.check(w.tryStart(), "the driver died while it started") }

// tryStart tells whether the driver survived its start.
func (w *world) tryStart() bool {
	w.p = w.NewProcess("driver")
	var failure error
	if w.p.Call("start", func() {
		w.d, failure = driver.New(w.p, steppedHost{w.kernel.View(w.p), w}, tapped{w, w.hv.For(w.p)}, driver.Config{StateDir: "/state"})
	}) != nil {
		return false
	}
	w.must(failure)
	w.conn = virt.NewConn(w.d, virt.ConnOptions{Runtime: w.Kernel(), Invoke: w.p.Call})
	_, err := w.conn.RegisterEvents(func(e virt.Event) { w.events = append(w.events, e) })
	if !w.p.Alive() {
		return false // it died at the work that it took up again
	}
	w.must(err)
	return true
}

const domainXML = `<domain type='qemu'><name>vm</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<memory unit='KiB'>32768</memory><os><type machine='pc'>hvm</type></os><devices>
<disk type='file'><driver type='qcow2'/><source file='/i/a'/><target dev='vda'/></disk>
<disk type='file'><driver type='qcow2'/><source file='/i/b'/><target dev='vdb'/></disk></devices></domain>`

// boot starts the driver and a domain with two disks.
func (w *world) boot() {
	w.start()
	dom, err := w.conn.DomainDefineXML(domainXML)
	w.must(err)
	w.must(dom.Create())
	w.dom = dom
}

// restart starts a new driver after the death of the old one.
func (w *world) restart() {
	w.start()
	dom, err := w.conn.LookupDomainByName("vm")
	w.must(err)
	w.dom = dom
}

const twoTargets = `<domainbackup><disks><disk name='vda' type='file'><target file='/t/a'/></disk>` +
	`<disk name='vdb' type='file'><target file='/t/b'/></disk></disks></domainbackup>`

const checkpointXML = `<domaincheckpoint><name>c1</name></domaincheckpoint>`

// begin starts the usual backup: two disks, with a checkpoint.
func (w *world) begin() (int, error) {
	return w.dom.BackupBegin(virt.XML(twoTargets), virt.XML(checkpointXML), 0)
}

// await waits for something, polling as a client would.
func (w *world) await(what string, cond func() bool) {
	for range 100000 {
		if cond() {
			return
		}
		w.Spec().Sleep(time.Millisecond)
	}
	w.check(false, "waited in vain for %s", what)
}

func (w *world) completions() []virt.JobCompletedEvent {
	var out []virt.JobCompletedEvent
	for _, e := range w.events {
		if j, ok := e.(virt.JobCompletedEvent); ok {
			out = append(out, j)
		}
	}
	return out
}

// awaitIdle waits until no job copies.
func (w *world) awaitIdle() {
	w.await("the job to end", func() bool {
		ids, err := w.dom.ListJobIds(0)
		w.must(err)
		return len(ids) == 0 || ids[0].Type != virt.DOMAIN_JOB_UNBOUNDED
	})
}

// nothingLeft asserts that QEMU has only the domain's own nodes and bitmaps of the
// given checkpoint, and the host no file beyond those allowed.
func (w *world) nothingLeft(checkpoint string, files ...string) {
	if m := w.hv.Machine("vm"); m != nil {
		w.checkQEMU(m, checkpoint)
	}
	entries, err := w.kernel.View(w.Spec()).ReadDir("/t")
	w.must(err)
	w.check(fmt.Sprint(entries) == fmt.Sprint(files), "files left: %v, want %v", entries, files)
	pending, err := w.kernel.View(w.Spec()).ReadDir("/state/checkpoint/vm")
	if err == nil {
		want := []string{}
		if checkpoint != "" {
			want = []string{checkpoint + ".xml"}
		}
		w.check(fmt.Sprint(pending) == fmt.Sprint(want), "checkpoint files left: %v, want %v", pending, want)
	}
}

func (w *world) checkQEMU(m *qmpfake.Machine, checkpoint string) {
	conn, err := m.Dial(w.Spec())
	w.must(err)
	mon := qmp.NewMonitor(w.Spec(), conn, qmp.MonitorOptions{Name: "second"})
	_, err = mon.Negotiate()
	w.must(err)
	v, err := mon.Run(qmp.QueryNamedBlockNodes{Flat: qmp.True}.Command())
	w.must(err)
	nodes, err := qmp.NamedNodes(v)
	w.must(err)
	w.check(len(nodes) == 4, "%d nodes left in QEMU", len(nodes))
	for _, n := range nodes {
		for _, b := range n.Bitmaps {
			w.check(b.Name == checkpoint && checkpoint != "", "bitmap %q left on %s", b.Name, n.NodeName)
		}
	}
	v, err = mon.Run(qmp.QueryJobs{}.Command())
	w.must(err)
	w.check(len(v.Items()) == 0, "jobs left in QEMU: %v", v)
	v, err = mon.Run(qmp.Command{Name: "query-block-exports"})
	w.must(err)
	w.check(len(v.Items()) == 0, "exports left in QEMU: %v", v)
	_, err = mon.Run(qmp.NBDServerStop{}.Command())
	w.check(err != nil, "the NBD server still runs")
	w.must(mon.Close())
}

// tapped is the hypervisor with a tap on the driver's connection.
type tapped struct {
	w *world
	machine.Hypervisor
}

func (h tapped) Launch(s machine.Spec) (machine.Machine, error) {
	m, err := h.Hypervisor.Launch(s)
	return tappedMachine{m, h.w}, err
}

func (h tapped) Attach(name string) (machine.Machine, error) {
	m, err := h.Hypervisor.Attach(name)
	return tappedMachine{m, h.w}, err
}

type tappedMachine struct {
	machine.Machine
	w *world
}

func (m tappedMachine) Dial() (qmp.Conn, error) {
	c, err := m.Machine.Dial()
	return &tap{Conn: c, w: m.w}, err
}

// tap answers for QEMU where a test wants an error.
type tap struct {
	qmp.Conn
	w *world
}

func (c *tap) Send(m qmp.Value) error {
	cmd := m.Get("execute").S()
	c.w.commands = append(c.w.commands, cmd)
	if c.w.onCommand != nil {
		if desc := c.w.onCommand(cmd); desc != "" {
			// An unknown argument makes QEMU refuse the command, whatever it is.
			m = qmp.Command{Name: cmd, Args: qmp.Dict(qmp.M("fault", qmp.Str(desc)))}.Message(m.Get("id"))
		}
	}
	if cmd == "transaction" && c.w.hold {
		m = held(m)
	}
	c.w.step()
	err := c.Conn.Send(m)
	c.w.step()
	return err
}

// held adds "speed": 1 to the jobs of a transaction.
func held(m qmp.Value) qmp.Value {
	var actions []qmp.Value
	for _, a := range m.Get("arguments").Get("actions").Items() {
		if a.Get("type").S() == "blockdev-backup" {
			data := append([]qmp.Member{qmp.M("speed", qmp.Int(1))}, a.Get("data").Members()...)
			a = qmp.Dict(qmp.M("type", a.Get("type")), qmp.M("data", qmp.Dict(data...)))
		}
		actions = append(actions, a)
	}
	return qmp.Command{Name: "transaction", Args: qmp.Dict(qmp.M("actions", qmp.List(actions...)))}.Message(m.Get("id"))
}

// fill writes data all over the domain's disks, so that there is something to copy.
func (w *world) fill() {
	m := w.hv.Machine("vm")
	data := make([]byte, 256<<10)
	for i := range data {
		data[i] = byte(i) | 1
	}
	var failure error
	w.must(m.Process().Call("guest", func() {
		for off := int64(0); off < diskBytes && failure == nil; off += int64(len(data)) {
			failure = errors.Join(m.Sim().GuestWrite("virtio-disk0", off, data), m.Sim().GuestWrite("virtio-disk1", off, data))
		}
	}))
	w.must(failure)
}

func isCode(err error, code virt.ErrorNumber, text string) bool {
	return errors.Is(err, code) && strings.Contains(err.Error(), text)
}

// makeImage writes an empty qcow2 image.
func makeImage(f host.File) error {
	_, err := qcow2.Write(f, &qcow2.Image{Size: diskBytes, ClusterBits: 16})
	return err
}
