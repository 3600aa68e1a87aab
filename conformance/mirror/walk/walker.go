package walk

import (
	"fmt"

	"fleece/qmp"
)

// Walker proposes steps.
type Walker struct {
	d      *Dice
	setup  Setup
	v      View
	closed bool // quit was proposed
	// formatted are the files in which an image was to be made.
	formatted map[string]bool
	mixed     map[string]bool // files of images to which backups wrote

	mistakes []mistake
	pending  []Step // the rest of a mistake
	fresh    int    // mistakes begun
}

// New makes a walker whose steps are drawn from d.
func New(d *Dice, s Setup) *Walker { return &Walker{d: d, setup: s} }

// kind is a family of steps with its weight.
type kind struct {
	weight int
	make   func(*Walker) Step
}

// kinds are all families. Weights are drawn so that sessions get somewhere: disks
// are written, jobs end, and nodes are there to work with.
func kinds() []kind {
	return []kind{
		{10, (*Walker).query}, {9, (*Walker).write}, {3, (*Walker).nodeIO},
		{6, (*Walker).open}, {4, (*Walker).del}, {3, (*Walker).reopen},
		{5, (*Walker).addBitmap}, {8, (*Walker).useBitmap}, {3, (*Walker).merge},
		{10, (*Walker).transaction}, {6, (*Walker).backup}, {10, (*Walker).jobVerb},
		{3, (*Walker).server}, {4, (*Walker).export}, {3, (*Walker).unexport},
		{2, (*Walker).create}, {2, (*Walker).snapshot}, {1, (*Walker).resize},
		{2, (*Walker).runState}, {1, (*Walker).odd},
	}
}

// mistakeIn is how many steps there are to one mistake, in sessions that have them. The
// mean mistake has three steps.
const mistakeIn = 4

// Next proposes a step for a machine that looks like v.
func (w *Walker) Next(v View) Step {
	w.v = v
	if len(w.pending) > 0 {
		return w.takePending()
	}
	if w.setup.Mistakes && w.d.In(mistakeIn) {
		return w.err()
	}
	all := kinds()
	sum := 0
	for _, k := range all {
		sum += k.weight
	}
	at := w.d.N(sum)
	for _, k := range all {
		if at -= k.weight; at < 0 {
			return w.spoil(k.make(w))
		}
	}
	return w.query()
}

// unknown is a name that nothing has.
const unknown = "nosuch"

// node is the name of a node with one of the drivers; now and then of another, or of
// none.
func (w *Walker) node(drivers ...string) string {
	names := w.v.those(drivers...)
	switch {
	case w.d.In(40):
		return one(w.d, unknown, "", "vd0", "")
	case w.d.In(25) || len(names) == 0:
		names = w.v.those("qcow2", "raw", "copy-before-write", "null-co", "null-aio")
	}
	if len(names) == 0 {
		return unknown
	}
	return one(w.d, names...)
}

// disk prefers the nodes that disks have.
func (w *Walker) disk() string {
	if w.d.In(3) {
		return w.node("qcow2", "raw")
	}
	return fmt.Sprintf("d%d", w.d.N(disks))
}

// bitmap is a bitmap that is there: its node and its name.
func (w *Walker) bitmap() (node, name string) {
	marked := w.v.marked()
	if len(marked) == 0 || w.d.In(30) {
		return w.disk(), w.bitmapName()
	}
	n := one(w.d, marked...)
	return n.name, one(w.d, n.bitmaps...).name
}

func (w *Walker) bitmapName() string { return fmt.Sprintf("b%d", w.d.N(6)) }

// job is the id of a job that is there, mostly.
func (w *Walker) job() string {
	if len(w.v.jobs) == 0 || w.d.In(15) {
		return fmt.Sprintf("j%d", w.d.N(4))
	}
	return one(w.d, w.v.jobs...).id
}

// freeJob is an id that no job has, mostly.
func (w *Walker) freeJob() string {
	if w.d.In(30) {
		return one(w.d, "", "1x", "j 1", "job_with-all.kinds")
	}
	for range 8 {
		id := fmt.Sprintf("j%d", w.d.N(4))
		taken := false
		for _, j := range w.v.jobs {
			taken = taken || j.id == id
		}
		if !taken {
			return id
		}
	}
	return "j0"
}

// query asks for something.
func (w *Walker) query() Step {
	switch w.d.N(12) {
	case 0, 1:
		return command("query-named-block-nodes", flag("flat", true))
	case 2:
		return command("query-named-block-nodes", w.maybe(2, flag("flat", false)))
	case 3:
		return command("query-block")
	case 4:
		return command("query-jobs")
	case 5, 6:
		return command("query-block-jobs")
	case 7:
		return command("query-block-exports")
	case 8:
		node, name := w.bitmap()
		return command("x-debug-block-dirty-bitmap-sha256", text("node", node), text("name", name))
	case 9:
		return command("x-debug-query-block-graph")
	case 10:
		return command(one(w.d, "query-status", "query-version", "query-name", "query-migrate", "query-block"))
	}
	return command("query-named-block-nodes", qmp.M("flat", qmp.Bool(true)))
}

// runState starts and stops the guest, whose only CPU halts at once.
func (w *Walker) runState() Step {
	return command(one(w.d, "cont", "stop", "cont", "stop", "system_reset", "system_powerdown", "system_wakeup"))
}
