package sim

import "fleece/qmp"

// queryCommand executes what only looks.
func (m *Machine) queryCommand(cmd qmp.Command) (v qmp.Value, done bool, err *qmp.ReplyError) {
	switch cmd.Name {
	case "query-named-block-nodes":
		if m.meetsHalfOpen() {
			_ = m.die("")
		}
		return m.queryNodes(cmd.Args.Get("flat").IsTrue()), true, nil
	case "query-block":
		return m.queryBlock(), true, nil
	case "query-jobs":
		return m.queryJobs(), true, nil
	case "query-block-jobs":
		return m.queryBlockJobs(), true, nil
	case "query-blockstats":
		return m.queryBlockStats(cmd.Args), true, nil
	case "query-block-exports":
		return m.queryExports(), true, nil
	case "x-debug-query-block-graph":
		return m.queryGraph(), true, nil
	case "x-debug-block-dirty-bitmap-sha256":
		_, b, err := m.findBitmap(cmd.Args.Get("node").S(), cmd.Args.Get("name").S())
		if err != nil {
			return qmp.Value{}, true, err
		}
		return qmp.Dict(qmp.M("sha256", qmp.Str(b.sha256()))), true, nil
	}
	return qmp.Value{}, false, nil
}

// queryJobs shows the newest first (§5.2).
func (m *Machine) queryJobs() qmp.Value {
	var out []qmp.Value
	for i := len(m.jobs) - 1; i >= 0; i-- {
		j := m.jobs[i]
		current, total := j.work.progress()
		out = append(out, qmp.Dict(
			qmp.M("id", qmp.Str(j.id)), qmp.M("type", qmp.Str(j.kind)), qmp.M("status", qmp.Str(string(j.status))),
			qmp.M("current-progress", qmp.Int(current)), qmp.M("total-progress", qmp.Int(total)),
			qmp.M("error", optional(j.err))))
	}
	return qmp.List(out...)
}

func optional(s string) qmp.Value {
	if s == "" {
		return qmp.Value{}
	}
	return qmp.Str(s)
}

func (m *Machine) queryBlockJobs() qmp.Value {
	var out []qmp.Value
	for i := len(m.jobs) - 1; i >= 0; i-- {
		j := m.jobs[i]
		if !j.blockJob {
			continue
		}
		current, total := j.work.progress()
		out = append(out, qmp.Dict(
			qmp.M("type", qmp.Str(j.kind)), qmp.M("device", qmp.Str(j.id)), qmp.M("len", qmp.Int(total)),
			qmp.M("offset", qmp.Int(current)), qmp.M("busy", qmp.Bool(j.active() && j.busy())),
			qmp.M("paused", qmp.Bool(j.pauseCount > 0)), qmp.M("speed", qmp.Int(j.work.speed())),
			qmp.M("io-status", qmp.Str(j.ioStatus)), qmp.M("ready", qmp.Bool(j.status == jobReady || j.status == jobStandby)),
			qmp.M("status", qmp.Str(string(j.status))), qmp.M("auto-finalize", qmp.Bool(j.autoFinalize)),
			qmp.M("auto-dismiss", qmp.Bool(j.autoDismiss)), qmp.M("error", optional(j.err))))
	}
	return qmp.List(out...)
}

// queryBlock shows the devices in order of their creation, each with the root of
// its graph: the filter, while a backup runs (§0.9).
func (m *Machine) queryBlock() qmp.Value {
	var out []qmp.Value
	for _, d := range m.devices {
		if !d.isDisk() {
			continue
		}
		var inserted qmp.Value
		if d.root != nil {
			inserted = d.root.child.queryUnder(d)
		}
		status := qmp.Str(d.ioStatus)
		if d.onlyReports {
			status = qmp.Value{}
		}
		out = append(out, qmp.Dict(
			qmp.M("io-status", status), qmp.M("device", qmp.Str("")), qmp.M("locked", qmp.Bool(false)),
			qmp.M("removable", qmp.Bool(false)), qmp.M("inserted", inserted),
			qmp.M("qdev", qmp.Str(d.qdev())), qmp.M("type", qmp.Str("unknown"))))
	}
	return qmp.List(out...)
}
