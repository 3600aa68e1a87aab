package sim

import "fleece/qmp"

// queryMachine answers what is about the machine and not about its disks.
func (m *Machine) queryMachine(cmd qmp.Command) (v qmp.Value, done bool, err *qmp.ReplyError) {
	str := func(name, text string) qmp.Member { return qmp.M(name, qmp.Str(text)) }
	switch cmd.Name {
	case "query-version":
		v = m.Greeting().Get("QMP").Get("version")
	case "query-commands":
		v, err = m.queryCommands()
	case "query-qmp-schema":
		v, err = m.querySchema()
	case "query-status":
		v = m.queryStatus()
	case "query-kvm":
		v = qmp.Dict(qmp.M("enabled", qmp.Bool(true)), qmp.M("present", qmp.Bool(true)))
	case "query-name":
		v = qmp.Dict()
		if m.guestName != "" {
			v = qmp.Dict(str("name", m.guestName))
		}
	case "query-uuid":
		v = qmp.Dict(str("UUID", m.guestUUID))
	case "query-iothreads":
		v = m.queryIOThreads()
	case "query-target":
		v = qmp.Dict(str("arch", "x86_64"))
	case "query-command-line-options":
		if name, ok := cmd.Args.Get("option").Text(); ok {
			return v, true, qmp.Generic("invalid option name: " + name)
		}
		v = qmp.List()
	case "query-dirty-rate":
		v = qmp.Dict(str("status", "unstarted"), qmp.M("sample-pages", qmp.Int(0)), str("mode", "page-sampling"),
			qmp.M("start-time", qmp.Int(0)), qmp.M("calc-time", qmp.Int(0)))
	case "yank":
		v = qmp.Dict()
		if len(cmd.Args.Get("instances").Items()) > 0 {
			return v, true, &qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Instance not found"}
		}
	case "query-stats", "query-stats-schemas":
		v = qmp.List()
	default:
		return v, false, nil
	}
	return v, true, err
}

func (m *Machine) queryStatus() qmp.Value {
	var singlestep qmp.Value
	if m.opts.Version.HasSinglestep {
		singlestep = qmp.Bool(false)
	}
	return qmp.Dict(qmp.M("status", qmp.Str(string(m.state))), qmp.M("singlestep", singlestep),
		qmp.M("running", qmp.Bool(m.state == stateRunning)))
}

// queryCommands lists all that the schema has, as QEMU's does: those registered last
// first. Those that are about other parts of a machine than its disks answer that they
// are not simulated.
func (m *Machine) queryCommands() (qmp.Value, *qmp.ReplyError) {
	schema, err := m.querySchema()
	if err != nil {
		return schema, err
	}
	const last = "device_add" // registered by hand
	out := []qmp.Value{qmp.Dict(qmp.M("name", qmp.Str(last)))}
	for i := len(schema.Items()) - 1; i >= 0; i-- {
		e := schema.Items()[i]
		if name := e.Get("name"); e.Get("meta-type").S() == "command" && name.S() != last {
			out = append(out, qmp.Dict(qmp.M("name", name)))
		}
	}
	return qmp.List(out...), nil
}

func (m *Machine) querySchema() (qmp.Value, *qmp.ReplyError) {
	v, err := qmp.Introspection()
	if err != nil {
		return v, qmp.Generic(err.Error())
	}
	return v, nil
}

func (m *Machine) queryIOThreads() qmp.Value {
	var out []qmp.Value
	for i := len(m.objects) - 1; i >= 0; i-- {
		if o := &m.objects[i]; o.kind == "iothread" {
			out = append(out, qmp.Dict(qmp.M("id", qmp.Str(o.id)), qmp.M("thread-id", qmp.Int(iothreadFirst+int64(i))),
				qmp.M("poll-max-ns", qmp.Int(o.poll.maxNS)), qmp.M("poll-grow", qmp.Int(o.poll.grow)), qmp.M("poll-shrink", qmp.Int(o.poll.shrink)),
				qmp.M("aio-max-batch", qmp.Int(o.poll.batch))))
		}
	}
	return qmp.List(out...)
}

// What an iothread shows that nobody configured; threads have no numbers here.
const (
	iothreadFirst  = 1000
	iothreadPollNS = 32768
)
