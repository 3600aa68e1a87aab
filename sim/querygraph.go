package sim

import "fleece/qmp"

// graphIDs numbers the objects of x-debug-query-block-graph by first mention.
type graphIDs struct {
	next int64
	of   []graphID
}

type graphID struct {
	n  *node
	u  *user
	id int64
}

func (g *graphIDs) id(n *node, u *user) qmp.Value {
	for _, x := range g.of {
		if x.n == n && x.u == u {
			return qmp.Int(x.id)
		}
	}
	g.next++
	g.of = append(g.of, graphID{n, u, g.next})
	return qmp.Int(g.next)
}

// queryGraph lists the edges with their permissions; ids are of this reply only.
func (m *Machine) queryGraph() qmp.Value {
	var g graphIDs
	var nodes, edges []qmp.Value
	entry := func(n *node, u *user, name, kind string) {
		nodes = append(nodes, qmp.Dict(qmp.M("name", qmp.Str(name)), qmp.M("type", qmp.Str(kind)), qmp.M("id", g.id(n, u))))
	}
	for i := len(m.nodes) - 1; i >= 0; i-- {
		n := m.nodes[i]
		entry(n, nil, n.name, "block-driver")
		for _, e := range n.children {
			edges = append(edges, g.edge(e, nil))
		}
	}
	for _, j := range m.jobs {
		if !j.blockJob {
			continue
		}
		u := &user{} // one that has ended has no edges
		if len(j.edges) > 0 {
			u = j.edges[0].user
		}
		entry(nil, u, j.id, "block-job")
		for _, e := range j.edges {
			edges = append(edges, g.edge(e, u))
		}
	}
	for _, n := range m.nodes {
		for _, e := range n.parents {
			if e.user != nil && e.user.job == nil {
				entry(nil, e.user, e.user.graphName, "block-backend")
				edges = append(edges, g.edge(e, e.user))
			}
		}
	}
	return qmp.Dict(qmp.M("edges", qmp.List(edges...)), qmp.M("nodes", qmp.List(nodes...)))
}

// edge is one edge; u stands for the parent that is no node.
func (g *graphIDs) edge(e *edge, u *user) qmp.Value {
	perm, shared := e.perms()
	return qmp.Dict(qmp.M("name", qmp.Str(e.shownRole())), qmp.M("parent", g.id(e.parent, u)), qmp.M("child", g.id(e.child, nil)),
		qmp.M("perm", perm.graphNames()), qmp.M("shared-perm", shared.graphNames()))
}
