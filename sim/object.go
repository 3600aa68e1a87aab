package sim

import (
	"crypto/tls"
	"encoding/base64"
	"math"
	"slices"
	"time"

	"fleece/host"
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
	poll     polling        // of an iothread
	data     string         // of a secret
}

// polling are the numbers of an iothread.
type polling struct{ maxNS, grow, shrink, batch int64 }

// read takes them from object-add.
func (p *polling) read(a qmp.Value) *qmp.ReplyError {
	p.maxNS = iothreadPollNS
	for _, x := range [...]struct {
		name string
		to   *int64
	}{{"poll-max-ns", &p.maxNS}, {"poll-grow", &p.grow}, {"poll-shrink", &p.shrink}, {"aio-max-batch", &p.batch}} {
		n, ok := a.Get(x.name).Int64()
		if !ok {
			continue
		}
		if n < 0 {
			return qmp.Generic(x.name + " value must be in range [0, " + itoa(math.MaxInt64) + "]")
		}
		*x.to = n
	}
	return nil
}

// checkSecret gives the errors of a new secret (crypto/secret_common.c).
func (m *Machine) checkSecret(a qmp.Value) *qmp.ReplyError {
	data, file := a.Get("data"), a.Get("file")
	switch {
	case data.Present() && file.Present():
		return qmp.Generic("'file' and 'data' are mutually exclusive")
	case !data.Present() && !file.Present():
		return qmp.Generic("Either 'file' or 'data' must be provided")
	case file.Present():
		f, err := m.host.OpenFile(file.S(), 0, 0)
		if err != nil {
			return qmp.Generic("Unable to read " + file.S() + ": Failed to open file \u201c" + file.S() + "\u201d: " + host.ErrText(err))
		}
		_ = f.Close()
	case a.Get("format").S() == "base64":
		if _, err := base64.StdEncoding.DecodeString(data.S()); err != nil {
			return qmp.Generic("Base64 data contains invalid characters")
		}
	}
	if key := a.Get("keyid"); key.Present() {
		o := m.object(key.S())
		switch {
		case o == nil:
			return qmp.Generic("No secret with id '" + key.S() + "'")
		case o.kind != "secret":
			return qmp.Generic("Object with id '" + key.S() + "' is not a secret")
		case len(o.data) != secretKeyBytes:
			return qmp.Generic("Key should be 32 bytes in length")
		}
	}
	return nil
}

// secretKeyBytes is how long a key of secrets is.
const secretKeyBytes = 32

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
	case "secret":
		if err := m.checkSecret(a); err != nil {
			return err
		}
	case "iothread":
		if err := o.poll.read(a); err != nil {
			return err
		}
	case "tls-creds-psk":
		if !a.Get("dir").Present() {
			return qmp.Generic("Missing 'dir' property value")
		}
		o.endpoint = a.Get("endpoint").TextOr("client")
	case "tls-creds-anon":
		o.endpoint = a.Get("endpoint").TextOr("client")
	case "memory-backend-ram", "rng-random", "rng-builtin", "authz-list":
	case "authz-simple":
	default:
		return qmp.Generic("The object type '" + o.kind + "' is not simulated")
	}
	o.data = a.Get("data").S()
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
