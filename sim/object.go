package sim

import (
	"crypto/tls"
	"slices"
	"time"

	"fleece/qmp"
)

// object is a user-created QOM object under /objects. Its kinds matter where a block
// command names one: throttle groups, I/O threads, secrets and TLS credentials.
type object struct {
	id, kind string
	limits   throttleLimits // of a throttle-group
	free     time.Time      // when the group lets the next request through
	endpoint string         // of TLS credentials
	tls      *tls.Config    // of a server's X.509 credentials
}

// objectCommand executes object-add and object-del.
func (m *Machine) objectCommand(cmd qmp.Command) (done bool, err *qmp.ReplyError) {
	switch cmd.Name {
	case "object-add":
		return true, m.objectAdd(cmd.Args)
	case "object-del":
		return true, m.objectDel(cmd.Args.Get("id").S())
	}
	return false, nil
}

func (m *Machine) object(id string) *object {
	for i := range m.objects {
		if m.objects[i].id == id {
			return &m.objects[i]
		}
	}
	return nil
}

func (m *Machine) objectAdd(a qmp.Value) *qmp.ReplyError {
	o := object{id: a.Get("id").S(), kind: a.Get("qom-type").S()}
	if !wellFormed(o.id) {
		return qmp.Generic("Parameter 'id' expects an identifier")
	}
	if m.object(o.id) != nil {
		return qmp.Generic("attempt to add duplicate property '" + o.id + "' to object (type 'container')")
	}
	switch o.kind {
	case "throttle-group":
		limits, err := parseLimits(a.Get("limits"))
		if err != nil {
			return err
		}
		o.limits = limits
	case "tls-creds-x509":
		o.endpoint = a.Get("endpoint").TextOr("client")
		config, err := m.loadCredentials(a, o.endpoint)
		if err != nil {
			return err
		}
		o.tls = config
	case "secret", "tls-creds-anon", "tls-creds-psk", "iothread", "memory-backend-ram":
		o.endpoint = a.Get("endpoint").TextOr("client")
	default:
		return qmp.Generic("The object type '" + o.kind + "' is not simulated")
	}
	m.objects = append(m.objects, o)
	return nil
}

// objectDel removes an object that nobody uses.
func (m *Machine) objectDel(id string) *qmp.ReplyError {
	o := m.object(id)
	if o == nil {
		return qmp.Generic("object '" + id + "' not found")
	}
	for _, n := range m.nodes {
		if n.kind == "throttle" && o.kind == "throttle-group" && n.options.Get("throttle-group").S() == id {
			return qmp.Generic("object '" + id + "' is in use, can not be deleted")
		}
	}
	m.objects = slices.DeleteFunc(m.objects, func(x object) bool { return x.id == id })
	return nil
}
