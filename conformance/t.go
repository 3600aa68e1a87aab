package conformance

import (
	"fmt"
	"path"
	"time"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"fleece/conformance/oracle"
	"fleece/host"
	"fleece/rt"
	"fleece/virt"
)

// TasksMax bounds the tasks of one spec body.
const TasksMax = 96

// T is what a spec body has: the world's host, a driver behind the public layer,
// domains with a guest, tasks, and expectations. A failed expectation ends the
// run at once and does not return.
type T struct {
	env    *Env
	spec   Spec
	host   host.Host
	expect *gomega.WithT

	// mu guards what follows. It is the kernel's, since event handlers run in
	// the driver's process. No other lock is taken while it is held.
	mu      rt.Mutex
	changed rt.Cond
	gen     uint64 // counts changes; a waiter that saw an older one looks again
	over    bool   // the spec's process was killed: the run has failed
	running int    // tasks started by Go that have not ended
	started int
	events  []virt.Event

	// leaf guards what taps use; it is taken last and held shortly.
	leaf     rt.Mutex
	exchange []string // QMP between driver and QEMU, for a failure's report
	holds    holds
	taps     []placedTap // on the drivers' connections, oldest first

	driver  *driverProcess
	drivers int    // started so far, for process names
	state   string // name of the driver's state directory
	// anyClient is whether the driver's TLS asks clients for no certificate.
	anyClient    bool
	tlsByDefault bool
	noTLS        bool
	dataFiles    bool              // qcow2 disks have data files
	dataOf       map[string]string // paths of data files, by those of their images
	plugs        bool              // disks come to a domain once it runs
	domains      []*Domain
	servers      []*NBDTarget  // of the harness
	agents       []*Agent      // of guests
	noted        []*virt.Error // by drivers, oldest first; leaf guards it
	witness      func(err *virt.Error)
	limited      []string // directories with a capacity of their own
	keep         []string // files that may be there at the end
}

func newT(e *Env, s Spec) *T {
	k := e.World.Kernel()
	t := &T{env: e, spec: s, host: e.Host(e.Spec), state: "state"}
	t.mu = k.NewMutex("conformance.T")
	t.changed = k.NewCond("conformance.T.changed", t.mu)
	t.leaf = rt.NewLeafMutex(k, "conformance.T.leaf")
	t.expect = gomega.NewWithT(failer{t})
	e.Spec.OnKill(t.giveUp)
	return t
}

// giveUp wakes every task that waits in Await, since the kernel's conditions do
// not end with the spec's process.
func (t *T) giveUp() {
	t.mu.Lock()
	t.over = true
	t.noteChange()
	t.mu.Unlock()
}

// failer turns a failed Gomega assertion into a verdict.
type failer struct{ t *T }

func (f failer) Helper() {}

func (f failer) Fatalf(format string, args ...any) {
	f.t.Fail("%s", fmt.Sprintf(format, args...))
}

// runBody is one run of a spec: body, join, leak check, end.
func runBody(e *Env, s Spec) {
	t := newT(e, s)
	t.startDriver()
	s.Body(t)
	t.Join()
	t.checkLeaks()
	t.shutdown()
	for _, d := range t.domains {
		d.guest.close()
	}
}

// Fail ends the run: the target broke the requirement.
func (t *T) Fail(format string, args ...any) { t.end("check", fmt.Sprintf(format, args...)) }

// Broken ends the run: the harness itself could not go on. Never a pass, and not
// the target's fault.
func (t *T) Broken(format string, args ...any) { t.end("harness", fmt.Sprintf(format, args...)) }

func (t *T) end(kind, message string) { t.stop(Failure{Kind: kind, Message: message}) }

// stop ends the run with a failure and what was said between driver and QEMU.
func (t *T) stop(f Failure) {
	t.leaf.Lock()
	f.QMP = append([]string(nil), t.exchange...)
	t.leaf.Unlock()
	t.env.Fail(f)
}

// found ends the run with what the oracle found.
func (t *T) found(what string, f *oracle.Finding) {
	t.stop(Failure{
		Kind: "check", Message: what + " is wrong: " + f.String(),
		Finding: &Finding{What: what, Disk: f.Disk, Offset: f.Offset, Length: f.Length, Problem: f.Problem, History: f.Lines},
	})
}

// must is Broken for an error of the harness's own doing.
func (t *T) must(err error, what string) {
	if err != nil {
		t.Broken("%s: %v", what, err)
	}
}

// Expect makes an assertion about actual, as Gomega's does. It belongs to this
// run, not to Ginkgo's current spec.
func (t *T) Expect(actual any, extra ...any) types.Assertion {
	return t.expect.Expect(actual, extra...)
}

// ExpectError asserts that err is a libvirt error of that code whose message
// contains text.
func (t *T) ExpectError(err error, code virt.ErrorNumber, text string) {
	t.expect.Expect(err).To(gomega.MatchError(code))
	t.expect.Expect(err.Error()).To(gomega.ContainSubstring(text))
	t.compared(err)
}

// ExpectMessage asserts that err is one of two libvirt errors, each a code with part
// of its message: a race decides which.
func (t *T) ExpectMessage(err error, code virt.ErrorNumber, text string, otherCode virt.ErrorNumber, otherText string) {
	one := gomega.And(gomega.MatchError(code), gomega.MatchError(gomega.ContainSubstring(text)))
	other := gomega.And(gomega.MatchError(otherCode), gomega.MatchError(gomega.ContainSubstring(otherText)))
	t.expect.Expect(err).To(gomega.Or(one, other))
	t.compared(err)
}

// Go starts f as a task of the spec beside the body.
func (t *T) Go(name string, f func()) {
	t.mu.Lock()
	t.running++
	t.started++
	tooMany := t.started > TasksMax
	t.mu.Unlock()
	if tooMany {
		t.Broken("more than %d tasks in one spec", TasksMax)
	}
	t.env.Spec.Go(name, func() {
		f()
		t.mu.Lock()
		t.running--
		t.noteChange()
		t.mu.Unlock()
	})
}

// noteChange wakes every Await; mu is held.
func (t *T) noteChange() {
	t.gen++
	t.changed.Broadcast()
}

// Join waits until every task started by Go has ended.
func (t *T) Join() {
	t.Await("the spec's tasks to end", func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.running == 0
	})
}

// Await blocks until cond holds. It looks again after every event of the driver,
// every finished guest write and every task that ended. Where nothing more can
// happen, or the lane's patience is over, the run ends: in a simulated world the
// target's failure, on a real one a time-out, which is the harness's error.
func (t *T) Await(what string, cond func() bool) {
	deadline := t.env.Spec.Now().Add(t.env.Patience)
	for {
		t.mu.Lock()
		gen := t.gen
		t.mu.Unlock()
		if cond() {
			return
		}
		t.mu.Lock()
		late := false
		for t.gen == gen && !late && !t.over {
			late = !t.changed.WaitUntil(deadline)
		}
		late = late && t.gen == gen
		over := t.over
		t.mu.Unlock()
		if over {
			// The process dies once its hooks ran, and giveUp is one: a shorter sleep
			// may end before, and nobody would wake the task again.
			t.env.Spec.Sleep(t.env.Patience)
		}
		if late && !cond() {
			t.end(t.lateKind(), fmt.Sprintf("waited in vain for %s", what))
		}
	}
}

// Poll is Await for a condition that nothing announces: it looks again each
// interval of the world's clock.
func (t *T) Poll(what string, interval time.Duration, cond func() bool) {
	deadline := t.env.Spec.Now().Add(t.env.Patience)
	for !cond() {
		if t.env.Spec.Now().After(deadline) {
			t.end(t.lateKind(), fmt.Sprintf("waited in vain for %s", what))
		}
		t.env.Spec.Sleep(interval)
	}
}

// lateKind is the kind of a wait that was in vain: a finding where the clock is
// virtual, a time-out of the harness where it is not.
func (t *T) lateKind() string {
	if t.env.Virtual {
		return "check"
	}
	return "time-out"
}

// Path gives the path of a file of this run.
func (t *T) Path(name string) string { return path.Join(t.env.Dir, name) }

// Host is the spec's own view of the host.
func (t *T) Host() host.Host { return t.host }

// Now is the world's time.
func (t *T) Now() time.Time { return t.env.Spec.Now() }

// JobWait is how long the driver waits for a domain's job lock.
func (t *T) JobWait() time.Duration { return t.env.JobWait }

// Choose returns a value in [0,n), 0 on the plain schedule: a decision that
// exploration may make differently.
func (t *T) Choose(label string, n int) int { return t.env.Spec.Choose(label, n) }

// Pause lets fewer than most steps pass in which other tasks may run; how many
// follows from the run's seed, so that many runs cover all of them. Where the clock
// is real it is nothing: the operating system decides.
func (t *T) Pause(most uint64) {
	for range (&random{t.env.Seed}).below(most) {
		rt.Point(t.env.Spec, "pause", "spec")
	}
}

// Each runs f for one of n cases, which follows from the run's seed, so that many
// runs cover all of them. Where the clock is real and runs are few it runs f for each.
func (t *T) Each(n int, f func(i int)) {
	if _, simulated := t.env.World.(interface{ Points() int }); simulated {
		f(int((&random{t.env.Seed ^ eachSalt}).below(uint64(n))))
		return
	}
	for i := range n {
		f(i)
	}
}

// Random draws numbers in [0,n) that follow from the run's seed; streams of different
// tasks are different.
func (t *T) Random(stream int) (draw func(n int64) int64) {
	r := &random{t.env.Seed ^ uint64(stream+1)*eachSalt}
	return func(n int64) int64 { return int64(r.below(uint64(n))) }
}

// eachSalt keeps Each and Pause apart.
const eachSalt = 0x6a09e667f3bcc908

// ReadFile reads a file of the host.
func (t *T) ReadFile(path string) []byte {
	text, err := host.ReadFile(t.host, path, fileBytesMax)
	t.must(err, "read "+path)
	return text
}

// fileBytesMax bounds ReadFile.
const fileBytesMax = 16 << 20

// WriteFile makes a file that must not be there yet.
func (t *T) WriteFile(path string, content []byte) {
	f, err := t.host.OpenFile(path, host.ReadWrite|host.Create|host.Exclusive, 0o644)
	t.must(err, "make "+path)
	_, err = f.WriteAt(content, 0)
	t.must(err, "write "+path)
	t.must(f.Close(), "close "+path)
}

// RemoveFile removes a file.
func (t *T) RemoveFile(path string) { t.must(t.host.Remove(path), "remove "+path) }

// Keeps says that a file of this run may be there when the run ends.
func (t *T) Keeps(paths ...string) { t.keep = append(t.keep, paths...) }

// LimitedDir makes a directory that holds at most that many bytes. It must be
// made before the first domain is started.
func (t *T) LimitedDir(name string, bytes int64) string {
	dir := t.Path(name)
	t.must(t.host.Mkdir(dir, 0o755), "make the limited directory")
	t.must(t.env.Target.LimitDir(dir, bytes), "limit the directory")
	t.limited = append(t.limited, dir)
	return dir
}

// Points is the number of choice points so far; 0 where no world is simulated.
func (t *T) Points() int {
	if w, ok := t.env.World.(interface{ Points() int }); ok {
		return w.Points()
	}
	return 0
}
