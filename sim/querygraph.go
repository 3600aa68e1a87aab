package sim

import "fleece/qmp"

// graphIDs numbers the objects of x-debug-query-block-graph by first mention.
type graphIDs struct {
	next int64
	of   []graphID
}

type graphID struct {
	n    *node
	user string
	id   int64
}

func (g *graphIDs) id(n *node, user string) qmp.Value {
	for _, x := range g.of {
		if x.n == n && x.user == user {
			return qmp.Int(x.id)
		}
	}
	g.next++
	g.of = append(g.of, graphID{n, user, g.next})
	return qmp.Int(g.next)
}

// queryGraph lists the edges with their permissions; ids are of this reply only.
func (m *Machine) queryGraph() qmp.Value {
	var g graphIDs
	var nodes, edges []qmp.Value
	entry := func(n *node, user, name, kind string) {
		nodes = append(nodes, qmp.Dict(qmp.M("name", qmp.Str(name)), qmp.M("type", qmp.Str(kind)), qmp.M("id", g.id(n, user))))
	}
	var userEdges []qmp.Value
	for _, d := range m.devices {
		if d.root != nil {
			entry(nil, d.qdev(), d.qdev(), "block-backend")
			userEdges = append(userEdges, g.edge(d.root))
		}
	}
	for _, j := range m.jobs {
		if len(j.edges) > 0 {
			entry(nil, j.id, j.id, "block-job")
			for _, e := range j.edges {
				userEdges = append(userEdges, g.edge(e))
			}
		}
	}
	for i := len(m.nodes) - 1; i >= 0; i-- {
		n := m.nodes[i]
		entry(n, "", n.name, "block-driver")
		for _, e := range n.children {
			edges = append(edges, g.edge(e))
		}
	}
	return qmp.Dict(qmp.M("edges", qmp.List(append(edges, userEdges...)...)), qmp.M("nodes", qmp.List(nodes...)))
}

func (g *graphIDs) edge(e *edge) qmp.Value {
	user := ""
	if e.user != nil {
		user = e.user.graphName
	}
	perm, shared := e.perms()
	return qmp.Dict(qmp.M("name", qmp.Str(e.role)), qmp.M("parent", g.id(e.parent, user)), qmp.M("child", g.id(e.child, "")),
		qmp.M("perm", perm.graphNames()), qmp.M("shared-perm", shared.graphNames()))
}
