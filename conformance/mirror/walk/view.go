package walk

import (
	"slices"

	"fleece/qmp"
)

// View is what a machine looks like: results of queries.
type View struct {
	nodes   []nodeView
	jobs    []jobView
	exports []string
	running bool
}

type nodeView struct {
	name, driver, file string
	backing            string // file of the backing node
	readOnly           bool
	size, cluster      int64
	bitmaps            []bitmapView
}

type bitmapView struct {
	name                           string
	busy, persistent, inconsistent bool
	recording                      bool
}

type jobView struct{ id, kind, status string }

// Look reads query-named-block-nodes, query-jobs, query-block-exports and
// query-status.
func Look(nodes, jobs, exports, status qmp.Value) (v View) {
	for _, n := range nodes.Items() {
		size, _ := n.Get("image").Get("virtual-size").Int64()
		cluster, _ := n.Get("image").Get("cluster-size").Int64()
		x := nodeView{
			name: n.Get("node-name").S(), driver: n.Get("drv").S(), file: n.Get("file").S(), backing: n.Get("backing_file").S(),
			readOnly: n.Get("ro").IsTrue(), size: size, cluster: cluster,
		}
		for _, b := range n.Get("dirty-bitmaps").Items() {
			if b.Get("name").Present() {
				x.bitmaps = append(x.bitmaps, bitmapView{
					b.Get("name").S(), b.Get("busy").IsTrue(), b.Get("persistent").IsTrue(),
					b.Get("inconsistent").IsTrue(), b.Get("recording").IsTrue(),
				})
			}
		}
		v.nodes = append(v.nodes, x)
	}
	for _, j := range jobs.Items() {
		v.jobs = append(v.jobs, jobView{j.Get("id").S(), j.Get("type").S(), j.Get("status").S()})
	}
	for _, e := range exports.Items() {
		v.exports = append(v.exports, e.Get("id").S())
	}
	v.running = status.Get("running").IsTrue()
	return v
}

// is reports whether a node has one of the drivers; none means any.
func (n *nodeView) is(drivers ...string) bool {
	for _, d := range drivers {
		if n.driver == d {
			return true
		}
	}
	return len(drivers) == 0
}

// generated reports whether QEMU made the name up; another run has another name.
func (n *nodeView) generated() bool { return n.name != "" && n.name[0] == '#' }

// find is the node of that name, or nil.
func (v *View) find(name string) *nodeView {
	for i := range v.nodes {
		if v.nodes[i].name == name {
			return &v.nodes[i]
		}
	}
	return nil
}

// chain are the files that a node shows: its own and those below. The same file may be
// open twice; then what is below either is meant.
func (v *View) chain(n *nodeView) []string {
	files := []string{n.file}
	for i := 0; i < len(files); i++ {
		for k := range v.nodes {
			if x := &v.nodes[k]; x.file == files[i] && x.backing != "" && !slices.Contains(files, x.backing) {
				files = append(files, x.backing)
			}
		}
	}
	return files
}

// those are the names of nodes with one of the drivers.
func (v *View) those(drivers ...string) (names []string) {
	for i := range v.nodes {
		if n := &v.nodes[i]; !n.generated() && n.is(drivers...) {
			names = append(names, n.name)
		}
	}
	return names
}

// marked are nodes with bitmaps.
func (v *View) marked() (all []*nodeView) {
	for i := range v.nodes {
		if n := &v.nodes[i]; len(n.bitmaps) > 0 && !n.generated() {
			all = append(all, n)
		}
	}
	return all
}
