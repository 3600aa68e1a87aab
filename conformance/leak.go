package conformance

import (
	"fmt"
	"path"
	"sort"

	"fleece/qmp"
	"fleece/virt"
)

// Leak checks never ask the driver: they ask QEMU on a second monitor and list
// the host's directory.

// second opens the harness's own monitor to a domain and hands it to use.
func (t *T) second(domain string, use func(m *qmp.Monitor)) {
	conn, err := t.env.Target.DialSecond(domain)
	t.must(err, "open the second monitor of "+domain)
	m := qmp.NewMonitor(t.env.Spec, conn, qmp.MonitorOptions{Name: "second"})
	_, err = m.Negotiate()
	t.must(err, "negotiate on the second monitor of "+domain)
	use(m)
	t.must(m.Close(), "close the second monitor")
}

// query runs a command of the harness that must succeed.
func (t *T) query(m *qmp.Monitor, c qmp.Command) qmp.Value {
	v, err := m.Run(c)
	t.must(err, "ask QEMU "+c.Name)
	return v
}

// nodes returns query-named-block-nodes of a domain.
func (t *T) nodes(domain string) []qmp.Value {
	var items []qmp.Value
	t.second(domain, func(m *qmp.Monitor) {
		items = t.query(m, namedNodes()).Items()
	})
	return items
}

func namedNodes() qmp.Command {
	return qmp.Command{Name: "query-named-block-nodes", Args: qmp.Dict(qmp.M("flat", qmp.Bool(true)))}
}

func (t *T) nodeNames(d *Domain) []string { return namesOf(t.nodes(d.Name), "node-name") }

func namesOf(items []qmp.Value, member string) []string {
	var names []string
	for _, v := range items {
		if s, ok := v.Get(member).Text(); ok {
			names = append(names, s)
		}
	}
	sort.Strings(names)
	return names
}

// checkLeaks is the end of every run: QEMU has nothing but the domain's own nodes
// and the bitmaps of checkpoints, no job and no export; the directory holds
// nothing but what the spec keeps.
func (t *T) checkLeaks() {
	for _, d := range t.domains {
		if d.gone {
			continue
		}
		t.ExpectNothingLeft(d)
	}
	t.checkFiles()
}

// ExpectNothingLeft asserts that QEMU holds nothing of a backup: no node beyond
// the domain's own, no job, no export, no bitmap that is not a checkpoint's.
func (t *T) ExpectNothingLeft(d *Domain) {
	t.second(d.Name, func(m *qmp.Monitor) {
		nodes := t.query(m, namedNodes()).Items()
		t.Expect(namesOf(nodes, "node-name")).To(equal(d.nodes), "block nodes left in QEMU")
		jobs := t.query(m, qmp.Command{Name: "query-jobs"}).Items()
		t.Expect(namesOf(jobs, "id")).To(beEmpty(), "jobs left in QEMU")
		blockJobs := t.query(m, qmp.Command{Name: "query-block-jobs"}).Items()
		t.Expect(namesOf(blockJobs, "device")).To(beEmpty(), "block jobs left in QEMU")
		exports := t.query(m, qmp.Command{Name: "query-block-exports"}).Items()
		t.Expect(namesOf(exports, "id")).To(beEmpty(), "exports left in QEMU")
		for _, node := range nodes {
			t.checkBitmaps(d, node)
		}
	})
}

// checkBitmaps asserts that a node's named bitmaps are those of the checkpoints
// that the spec made, persistent, recording and not busy.
func (t *T) checkBitmaps(d *Domain, node qmp.Value) {
	name := node.Get("node-name").S()
	var extra []string
	for _, b := range node.Get("dirty-bitmaps").Items() {
		bitmap := b.Get("name").S()
		if contains(d.broken, bitmap) {
			continue
		}
		if !contains(d.checkpoints, bitmap) {
			extra = append(extra, bitmap)
			continue
		}
		healthy := b.Get("persistent").IsTrue() && b.Get("recording").IsTrue() && !b.Get("busy").IsTrue()
		t.Expect(healthy).To(beTrue(), "bitmap %s of node %s must be persistent, recording and idle", bitmap, name)
	}
	t.Expect(extra).To(beEmpty(), "bitmaps left on node %s", name)
}

// checkFiles lists the run's directory.
func (t *T) checkFiles() {
	var extra []string
	for _, dir := range append([]string{t.env.Dir}, t.limited...) {
		entries, err := t.host.ReadDir(dir)
		t.must(err, "list "+dir)
		for _, name := range entries {
			p := path.Join(dir, name)
			if p != t.stateDir() && !contains(t.keep, p) && !contains(t.limited, p) {
				extra = append(extra, p)
			}
		}
	}
	t.Expect(extra).To(beEmpty(), "files left on the host")
}

// ExpectFiles asserts that each path is there, or not.
func (t *T) ExpectFiles(present bool, paths ...string) {
	var wrong []string
	for _, p := range paths {
		_, err := t.host.Stat(p)
		if (err == nil) != present {
			wrong = append(wrong, p)
		}
	}
	t.Expect(wrong).To(beEmpty(), fmt.Sprintf("files that should %sbe there", map[bool]string{true: "", false: "not "}[present]))
}

// shutdown ends the run's domains through the driver, so that their images are
// closed in order, and looks at what the driver says.
func (t *T) shutdown() {
	for _, a := range t.agents {
		a.Die()
	}
	for _, n := range t.servers {
		n.Die()
	}
	for _, d := range t.domains {
		if !d.gone {
			t.Expect(d.Destroy()).To(succeed(), "destroy domain %s", d.Name)
		}
	}
}

// quit ends a domain's QEMU in order, without the driver, and waits until the
// driver has seen it.
func (t *T) quit(d *Domain) {
	n := t.stops(d)
	t.second(d.Name, func(m *qmp.Monitor) {
		// QEMU may close the connection before or after its reply.
		_, _ = m.Run(qmp.Command{Name: "quit"})
	})
	t.awaitStop(d, n)
}

// DestroyNow ends the domain through the driver, whatever it does, and waits until
// the driver has said so.
func (d *Domain) DestroyNow() {
	before := d.t.stops(d)
	d.t.Expect(d.Destroy()).To(succeed(), "destroy domain %s", d.Name)
	d.t.awaitStop(d, before)
	d.gone = true
}

// Crash kills a domain's QEMU, as SIGKILL does. What the disks hold then is not
// judged any more. AwaitStopped waits until the driver has seen it.
func (d *Domain) Crash() {
	t := d.t
	d.stops = t.stops(d)
	m, err := t.env.Target.For(t.env.Spec).Attach(d.Name)
	t.must(err, "find the machine of "+d.Name)
	t.must(m.Kill(), "kill the machine of "+d.Name)
	d.gone = true
}

// AwaitStopped waits until the driver has seen what Crash did.
func (d *Domain) AwaitStopped() { d.t.awaitStop(d, d.stops) }

// stops counts how often the driver has told that a domain stopped.
func (t *T) stops(d *Domain) int {
	n := 0
	for _, e := range t.Events() {
		if l, ok := e.(virt.LifecycleEvent); ok && l.Event == virt.DOMAIN_EVENT_STOPPED && l.Domain.Name == d.Name {
			n++
		}
	}
	return n
}

func (t *T) awaitStop(d *Domain, before int) {
	t.Await("the driver to notice the end of "+d.Name, func() bool { return t.stops(d) > before })
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
