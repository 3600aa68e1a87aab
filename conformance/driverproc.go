package conformance

import (
	"fmt"
	"io"

	"fleece/machine"
	"fleece/qmp"
	"fleece/rt"
	"fleece/virt"
)

// driverProcess is the driver under test in a process of its own, so that it can
// be killed like one.
type driverProcess struct {
	process  rt.Process
	driver   any
	conn     *virt.Conn
	readOnly *virt.Conn
}

// startDriver starts the driver under test over the run's state directory.
func (t *T) startDriver() {
	t.drivers++
	name := "driver"
	if t.drivers > 1 {
		name = fmt.Sprintf("driver-%d", t.drivers)
	} else {
		t.must(t.host.Mkdir(t.stateDir(), 0o700), "make the driver's state directory")
	}
	p := t.env.World.NewProcess(name)
	d := &driverProcess{process: p}
	hv := &tapped{t: t, process: p, Hypervisor: t.env.Target.For(p)}
	var failure error
	err := p.Call("start", func() {
		d.driver, failure = t.env.NewDriver(noting{p, t}, t.env.Host(p), hv, DriverConfig{
			StateDir: t.stateDir(), TLSDir: t.driversTLSDir(), TLSAnyClient: t.anyClient, JobWait: t.env.JobWait,
			TLSByDefault: t.tlsByDefault,
		})
	})
	t.must(err, "start the driver")
	if failure != nil {
		t.Fail("the driver does not start: %v", failure)
	}
	k := t.env.World.Kernel()
	d.conn = virt.NewConn(d.driver, virt.ConnOptions{Runtime: k, Invoke: p.Call})
	d.readOnly = virt.NewConn(d.driver, virt.ConnOptions{Runtime: k, Invoke: p.Call, ReadOnly: true})
	_, err = d.conn.RegisterEvents(t.onEvent)
	t.must(err, "register for events")
	t.driver = d
}

func (t *T) stateDir() string { return t.Path(t.state) }

// Conn is the connection to the driver under test.
func (t *T) Conn() *virt.Conn { return t.driver.conn }

// Connect is a connection to another driver than the one under test: a stub of the
// spec's, which starts no task.
func (t *T) Connect(driver any) *virt.Conn {
	return virt.NewConn(driver, virt.ConnOptions{Runtime: t.env.World.Kernel()})
}

// ReadOnly is a read-only connection to the driver under test.
func (t *T) ReadOnly() *virt.Conn { return t.driver.readOnly }

// ReadOnlyDomain is the domain as a read-only connection sees it.
func (t *T) ReadOnlyDomain(d *Domain) *virt.Domain {
	dom, err := t.ReadOnly().LookupDomainByName(d.Name)
	t.Expect(err).NotTo(haveOccurred(), "look domain %s up", d.Name)
	return dom
}

// KillDriver ends the driver's process as SIGKILL would. QEMU goes on.
func (t *T) KillDriver() {
	t.driver.process.Kill()
	t.mu.Lock()
	t.noteChange()
	t.mu.Unlock()
}

// RestartDriver starts the driver again over what the killed one left on disk,
// and looks the domains up afresh; those that were undefined it must not know.
func (t *T) RestartDriver() {
	t.startDriver()
	for _, d := range t.domains {
		dom, err := t.Conn().LookupDomainByName(d.Name)
		d.undefined = d.undefined || d.perhaps && err != nil
		if d.undefined {
			t.ExpectError(err, virt.ERR_NO_DOMAIN, "no domain with matching name '"+d.Name+"'")
			continue
		}
		t.Expect(err).NotTo(haveOccurred(), "the restarted driver knows the domain")
		d.Domain = dom
	}
}

// ConfigureNoTLS restarts the driver without a directory of certificates.
func (t *T) ConfigureNoTLS() {
	t.noTLS = true
	t.KillDriver()
	t.RestartDriver()
}

// driversTLSDir is what the driver is told of tlsDir.
func (t *T) driversTLSDir() string {
	if t.noTLS {
		return ""
	}
	return t.tlsDir()
}

// ConfigureTLSByDefault restarts the driver with certificates that are its default for
// all kinds of TLS; there is nothing that is meant for backups.
func (t *T) ConfigureTLSByDefault() {
	t.tlsByDefault = true
	t.KillDriver()
	t.RestartDriver()
}

// LetAnyClientIn restarts the driver with a configuration in which TLS asks clients for
// no certificate.
func (t *T) LetAnyClientIn() {
	t.anyClient = true
	t.KillDriver()
	t.RestartDriver()
}

// onEvent runs in the driver's dispatcher.
func (t *T) onEvent(e virt.Event) {
	t.mu.Lock()
	t.events = append(t.events, e)
	t.noteChange()
	t.mu.Unlock()
}

// Events returns the events so far, in order, over all drivers of the run.
func (t *T) Events() []virt.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]virt.Event(nil), t.events...)
}

// ForgetEvents forgets the events so far.
func (t *T) ForgetEvents() {
	t.mu.Lock()
	t.events = nil
	t.mu.Unlock()
}

// JobsCompleted returns the JOB_COMPLETED events so far.
func (t *T) JobsCompleted() []virt.JobCompletedEvent {
	var found []virt.JobCompletedEvent
	for _, e := range t.Events() {
		if j, ok := e.(virt.JobCompletedEvent); ok {
			found = append(found, j)
		}
	}
	return found
}

// AwaitJobCompleted waits for the n-th JOB_COMPLETED event (1 is the first).
func (t *T) AwaitJobCompleted(n int) virt.JobCompletedEvent {
	t.Await(fmt.Sprintf("JOB_COMPLETED number %d", n), func() bool { return len(t.JobsCompleted()) >= n })
	return t.JobsCompleted()[n-1]
}

// tapped is the hypervisor as the driver's process sees it, with the harness's tap
// on each connection.
type tapped struct {
	machine.Hypervisor
	t       *T
	process rt.Process
}

func (h *tapped) Launch(spec machine.Spec) (machine.Machine, error) {
	return h.wrap(h.Hypervisor.Launch(spec))
}

func (h *tapped) Attach(name string) (machine.Machine, error) {
	return h.wrap(h.Hypervisor.Attach(name))
}

func (h *tapped) wrap(m machine.Machine, err error) (machine.Machine, error) {
	if err != nil {
		return nil, err
	}
	return &tappedMachine{Machine: m, h: h}, nil
}

type tappedMachine struct {
	machine.Machine
	h *tapped
}

func (m *tappedMachine) Dial() (qmp.Conn, error) {
	c, err := m.Machine.Dial()
	if err != nil {
		return nil, err
	}
	return m.h.t.tap(m.h.process, c), nil
}

// closeQuietly closes what is given up; there is nobody to tell.
func closeQuietly(c io.Closer) { _ = c.Close() }
