package sim

import "slices"

// A drained section lets no new request start and waits for those in flight. Jobs
// that run show it: each is paused and resumed, and says so (§0.1, §5.6).
type drained struct {
	m    *Machine
	jobs []*job
	over over
}

// over is what a section is over: a node, with all below it or not; every node if it is nil.
type over struct {
	node *node
	tree bool
}

// holds reports whether the section reaches a job.
func (o over) holds(j *job) bool {
	switch {
	case o.node == nil:
		return true
	case o.tree:
		return j.usesTree(o.node)
	}
	return j.uses(o.node)
}

// drainBegin opens a section over the whole graph.
func (m *Machine) drainBegin() drained { return m.drain(nil) }

// drain opens a section that holds the jobs which have n below them; nil stands
// for every node.
func (m *Machine) drain(n *node) drained {
	d := drained{m: m, over: over{node: n}}
	m.drains++
	d.holdAll()
	m.letGo()
	for m.guestIO > 0 || m.copies(d.over) {
		m.io.Wait()
	}
	if n == nil && len(d.jobs) > 1 {
		d.sort(func(target, filter int) int { return min(target, filter) })
	}
	for _, j := range d.jobs {
		j.settlePause()
	}
	return d
}

// copies reports whether a job that a section is over has a request in flight. Others go on:
// theirs are in nodes that the section does not reach (bdrv_drain_poll).
func (m *Machine) copies(o over) bool {
	return m.inflight > 0 && slices.ContainsFunc(m.jobs, func(j *job) bool { return !j.work.idle() && o.holds(j) })
}

// holdAll adds the jobs that the section is over. Those whose work is over are let end,
// when the others are paused already.
func (d *drained) holdAll() {
	var ending []*job
	for _, j := range slices.Clone(d.m.jobs) {
		if b, ok := j.work.(*backup); ok && b.loads && j.active() && d.over.holds(j) {
			d.m.hang() // the pause does not reach a copy that is about to wait for its speed limit
			b.loads = false
		}
		switch {
		case !j.active() || !j.blockJob || !d.over.holds(j):
		case j.isOver():
			ending = append(ending, j)
		case !j.endsEarly():
			d.hold(j)
		}
	}
	if len(ending) == 0 {
		return
	}
	for _, j := range d.jobs {
		j.settlePause()
	}
	for _, j := range ending {
		j.endOver()
	}
}

// isOver reports whether a resumed job found nothing left to do, or nothing it can.
func (j *job) isOver() bool {
	b, ok := j.work.(*backup)
	return ok && b.over && j.working()
}

// endOver ends a job whose work is over.
func (j *job) endOver() { j.end(j.work.(*backup).overText) }

// endOver ends the jobs whose work a command found to be over: nothing is left to wait for,
// so that it happens before the reply.
func (m *Machine) endOver() {
	for i := 0; i < len(m.jobs); i++ {
		if j := m.jobs[i]; j.isOver() && j.pauseCount == 0 {
			j.endOver()
			i = -1 // its end may have woken another
		}
	}
}

// endsEarly lets a job end that was cancelled with its group when a section waits for it,
// while another job of the group takes its filter out above or below it.
func (j *job) endsEarly() bool {
	if !j.joined || !j.cancelled || !j.working() || !j.work.idle() {
		return false
	}
	j.requestCancel()
	j.completed = true
	j.gen++
	j.set(jobAborting)
	return true
}

// drainTree opens a section over a node and all below it.
func (m *Machine) drainTree(n *node) drained {
	d := drained{m: m, over: over{n, true}}
	m.drains++
	d.holdAll()
	m.letGo()
	for m.guestIO > 0 || m.copies(d.over) {
		m.io.Wait()
	}
	for _, j := range d.jobs {
		j.settlePause()
	}
	return d
}

// usesTree reports whether n or a node under it is below the job.
func (j *job) usesTree(n *node) bool {
	if j.uses(n) {
		return true
	}
	for _, e := range n.children {
		if j.usesTree(e.child) {
			return true
		}
	}
	return false
}

// without takes away what is under n, so that the jobs above n go on which no section
// reaches any more; giveBack holds them again.
func (m *Machine) without(n *node, take func()) (giveBack func()) {
	loose := slices.DeleteFunc(slices.Clone(m.jobs), func(j *job) bool { return len(j.held) == 0 || !j.uses(n) })
	slices.Reverse(loose)
	take()
	gone := make([]int, len(loose))
	for i, j := range loose {
		for _, o := range j.held {
			if !o.holds(j) {
				gone[i]++
			}
		}
		if gone[i] > 0 {
			j.pauseCount -= gone[i] - 1
			j.resume()
		}
	}
	return func() {
		for i, j := range loose {
			j.pauseCount += gone[i]
			j.settlePause()
		}
	}
}

// unhold lets jobs go on that sections hold to which nothing leads from them any more.
func (m *Machine) unhold() {
	for _, j := range slices.Clone(m.jobs) {
		for at := 0; at < len(j.held); {
			if o := j.held[at]; o.node != nil && !o.holds(j) {
				j.held = slices.Delete(j.held, at, at+1)
				j.resume()
			} else {
				at++
			}
		}
	}
}

// hold adds a job to the section.
func (d *drained) hold(j *job) {
	j.pauseCount++
	j.held = append(j.held, d.over)
	d.jobs = append(d.jobs, j)
}

// takeOver adds the jobs of another section that ends, which what this one is over is below
// by now.
func (d *drained) takeOver(o *drained) {
	for _, j := range o.jobs {
		if !slices.Contains(d.jobs, j) && d.over.holds(j) {
			d.hold(j)
		}
	}
}

// sort orders jobs as QEMU comes across them when it walks all nodes, the oldest
// first: it pauses a job at the first of its nodes and resumes it at the last.
func (d *drained) sort(which func(target, filter int) int) {
	at := func(j *job) int {
		if len(j.edges) < 2 {
			return 0
		}
		filter, target := j.edges[0].child, j.edges[1].child
		return which(slices.Index(d.m.nodes, target), slices.Index(d.m.nodes, filter))
	}
	slices.SortStableFunc(d.jobs, func(a, b *job) int { return at(a) - at(b) })
}

// end closes the section.
func (d *drained) end() {
	d.m.drains--
	if d.over.node == nil && len(d.jobs) > 1 {
		d.sort(func(target, filter int) int { return max(target, filter) })
	}
	for i := range d.jobs {
		j := d.jobs[i]
		if d.over.node != nil {
			j = d.jobs[len(d.jobs)-1-i] // a node's parents are walked youngest first
		}
		if at := slices.Index(j.held, d.over); at >= 0 { // else nothing led from it to the job any more
			j.held = slices.Delete(j.held, at, at+1)
			j.resume()
		}
	}
	d.m.io.Broadcast()
}

// drainAll is an empty section: the noise of transaction and stop.
func (m *Machine) drainAll() {
	d := m.drainBegin()
	d.end()
}

// pairs is the noise of empty sections over a node, one after the other.
func (m *Machine) pairs(n *node, times int) {
	for range times {
		d := m.drain(n)
		d.end()
	}
}

// uses reports whether n is below the job.
func (j *job) uses(n *node) bool {
	for _, e := range j.edges {
		if e.child.reaches(n) {
			return true
		}
	}
	return false
}

// reaches reports whether x is n or below it.
func (n *node) reaches(x *node) bool {
	if n == x {
		return true
	}
	for _, e := range n.children {
		if e.child.reaches(x) {
			return true
		}
	}
	return false
}

// beginGuestIO waits until a request of a device may start. One that changes something
// is counted while it waits.
func (m *Machine) beginGuestIO(changes bool) {
	held := 0
	if changes {
		held = 1
	}
	m.heldWrites += held
	for m.drains > 0 {
		m.io.Wait()
	}
	m.heldWrites -= held
	m.guestIO++
}

func (m *Machine) endGuestIO() {
	m.guestIO--
	m.io.Broadcast()
}
