package sim

import (
	"fmt"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
	"fleece/rt/simrt"
)

// dice is a chooser that takes unlikely turns; it is a function of its seed.
type dice struct{ state uint64 }

func (d *dice) next(n int) int {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

func (d *dice) Pick(p *simrt.Point) int {
	if d.next(3) > 0 {
		return 0
	}
	return d.next(p.Len())
}

func (d *dice) Data(_ *simrt.Point, _ string, n int) int { return d.next(n) }

var testSchema, errSchema = qmp.LoadSchema()

// tester is the part of testing.TB that a rapid.T has too.
type tester interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// bench is a machine in a world, with a client.
type bench struct {
	t      tester
	w      *simrt.World
	k      *memhost.Kernel
	p      rt.Process
	m      *Machine
	mon    *Monitor
	opts   Options
	reply  qmp.Value
	events []string
	data   bool // the disk has a data file, over node "dd"
}

const dir = "/img"

// inWorld runs f on a machine with one disk of the given size, whose image is
// /img/disk.qcow2, over nodes "ds" and "d".
func inWorld(t tester, size int64, chooser simrt.Chooser, f func(b *bench)) {
	t.Helper()
	if errSchema != nil {
		t.Fatal(errSchema)
	}
	r := simrt.Run(simrt.Options{Chooser: chooser, KeepLog: chooser == nil}, func(w *simrt.World) {
		newBench(t, w, size, Options{Schema: testSchema}, f)
	})
	if r.Failure != nil {
		t.Fatalf("%s: %s\n%s", r.Failure.Kind, r.Failure.Detail, r.Failure.Stack)
	}
}

func newBench(t tester, w *simrt.World, size int64, opts Options, f func(b *bench)) {
	b := &bench{t: t, w: w, k: memhost.New(w.Kernel(), memhost.Options{}), opts: opts}
	if err := b.k.MkdirAll(dir); err != nil {
		t.Error(err)
		return
	}
	b.must(CreateImage(b.host(), dir+"/disk.qcow2", size, 0, 3))
	b.boot()
	f(b)
}

func (b *bench) host() host.Host { return b.k.View(b.w.Spec()) }

func (b *bench) must(err error) {
	if err != nil {
		panic(err)
	}
}

// boot starts a machine over the image.
func (b *bench) boot() {
	b.p = b.w.NewProcess("qemu")
	b.in("qemu-main", func() {
		var err error
		b.m, err = New(b.p, b.k.View(b.p), machine.Spec{
			Nodes:   b.nodes(),
			Devices: []machine.Device{{Driver: "virtio-blk-pci", ID: "disk", Drive: "d"}},
		}, b.opts)
		b.must(err)
		b.mon = b.m.AddMonitor(b.receive)
	})
	b.qmp(`{"execute":"qmp_capabilities"}`)
}

func (b *bench) nodes() []qmp.Value {
	file := parse(`{"driver":"file","filename":"/img/disk.qcow2","node-name":"ds","discard":"unmap"}`)
	if b.data {
		return []qmp.Value{
			parse(`{"driver":"file","filename":"/img/disk.raw","node-name":"dd","discard":"unmap"}`), file,
			parse(`{"driver":"qcow2","file":"ds","data-file":"dd","node-name":"d","discard":"unmap"}`),
		}
	}
	return []qmp.Value{file, parse(`{"driver":"qcow2","file":"ds","node-name":"d","discard":"unmap"}`)}
}

func parse(text string) qmp.Value {
	v, err := qmp.Decode([]byte(text))
	if err != nil {
		panic(fmt.Sprintf("%v: %s", err, text))
	}
	return v
}

func (b *bench) in(name string, f func()) { b.must(b.p.Call(name, f)) }

func (b *bench) receive(v qmp.Value) {
	if !v.Present() {
		return
	}
	if e, ok := qmp.ParseEvent(v); ok {
		id := e.Data.Get("id").S() + e.Data.Get("device").S()
		if what := e.Data.Get("status").S() + e.Data.Get("error").S() + e.Data.Get("action").S(); what != "" {
			b.events = append(b.events, id+" "+what)
		} else {
			b.events = append(b.events, e.Name)
		}
		return
	}
	b.reply = v
}

// try sends a command and returns the text of its error, "" for success.
func (b *bench) try(text string) string {
	var reply qmp.Value
	b.in("client", func() {
		b.mon.Handle(parse(text))
		reply = b.reply
	})
	b.reply = reply
	return reply.Get("error").Get("desc").S()
}

// qmp sends a command that must succeed and returns its result.
func (b *bench) qmp(text string) qmp.Value {
	b.t.Helper()
	if desc := b.try(text); desc != "" {
		b.t.Errorf("%s: %s", text, desc)
	}
	return b.reply.Get("return")
}

// await waits for an event as receive writes it.
func (b *bench) await(event string) {
	for range 1 << 14 {
		for _, e := range b.events {
			if e == event {
				return
			}
		}
		b.w.Spec().Sleep(chunkTimeDefault / 4)
	}
	b.t.Errorf("no event '%s' in %v", event, b.events)
}

// target makes and opens an image /img/NAME.qcow2 as node NAME.
func (b *bench) target(name string, size int64) {
	b.must(CreateImage(b.host(), dir+"/"+name+".qcow2", size, 0, 3))
	b.open(name)
}

func (b *bench) open(name string) {
	b.qmp(`{"execute":"blockdev-add","arguments":{"driver":"qcow2","node-name":"` + name + `","discard":"unmap",
		"file":{"driver":"file","filename":"/img/` + name + `.qcow2"}}}`)
}

// content is what a node reads as.
func (b *bench) content(name string) []byte {
	var p []byte
	b.in("look", func() {
		b.m.mu.Lock()
		defer b.m.mu.Unlock()
		n := b.m.node(name)
		p = make([]byte, n.length())
		b.must(n.readFull(p, 0))
	})
	return p
}

func (b *bench) write(off int64, p []byte) {
	b.in("guest", func() { b.must(b.m.GuestWrite("disk", off, p)) })
}

// bitmaps renders the named bitmaps of a node, newest first.
func (b *bench) bitmaps(node string) (out []string) {
	for _, n := range b.qmp(`{"execute":"query-named-block-nodes","arguments":{"flat":true}}`).Items() {
		if n.Get("node-name").S() != node {
			continue
		}
		for _, m := range n.Get("dirty-bitmaps").Items() {
			flags := ""
			for _, f := range []string{"recording", "persistent", "busy", "inconsistent"} {
				if m.Get(f).IsTrue() {
					flags += " " + f
				}
			}
			out = append(out, fmt.Sprintf("%s %v%s", m.Get("name").S(), m.Get("count"), flags))
		}
	}
	return out
}
