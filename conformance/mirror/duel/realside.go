package duel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fleece/conformance/mirror/walk"
	"fleece/host"
	"fleece/qmp"
	"fleece/real"
)

// How long the real QEMU may take.
const (
	replyTimeout = 10 * time.Second // of a command; it takes less than 1 ms
	stillTimeout = 2 * time.Second  // until jobs are where the simulator's are
	// A copy may read a table of its source before it waits for its speed limit, which
	// nothing shows; a pause that comes meanwhile makes QEMU hang (§11).
	loadTime = 500 * time.Microsecond
)

// batchMax is how many commands are sent before the first reply is read.
const batchMax = 32

// realSide runs sessions on QEMU.
type realSide struct {
	hyper *real.Hypervisor
	host  host.Host
}

// run repeats the session that the simulator had.
func (r *realSide) run(s walk.Setup, model Run) Run {
	var run Run
	if err := r.prepare(s); err != nil {
		run.Trouble = err.Error()
		return run
	}
	m, err := r.hyper.Start(s.Spec)
	if err != nil {
		run.Trouble = err.Error()
		return run
	}
	defer func() { _ = m.Kill() }()
	c, err := dial(m)
	if err == nil {
		run.Greeting = c.greeting
		run.Turns, err = c.session(model.Turns)
		c.close()
	}
	if err == nil {
		err = awaitEnd(m)
	}
	if err != nil && !errors.Is(err, errApart) {
		run.Trouble = "QEMU: " + err.Error()
		if text := m.Stderr(); text != "" {
			run.Trouble += ": " + text
		}
	}
	run.Files = describe(r.host, s)
	return run
}

// prepare empties the session's directory and makes its images.
func (r *realSide) prepare(s walk.Setup) error {
	err := errors.Join(os.RemoveAll(s.Dir), os.MkdirAll(s.Dir, 0o700), makeFiles(r.host, s))
	for _, f := range s.Files {
		if err == nil && f.Version > 0 && f.Size < fillMax {
			err = fill(filepath.Join(s.Dir, f.Name))
		}
	}
	return err
}

// fillMax is the virtual size of images without holes in their files.
const fillMax = 1 << 30

// spareBytes is room that is allocated to the file of an image beyond its end: more than
// the holes in metadata and data of a session's image.
const spareBytes = 16 << 20

// fill stores the zeroes of a file, as qemu-img does, and gives it spare room. QEMU takes
// an image of which more is counted than the host has allocated for one that was
// preallocated, and then looks for holes in its data (qcow2_detect_metadata_preallocation):
// where those are is the host file system's business.
func fill(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = syscall.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, int64(len(data)), spareBytes)
	}
	return errors.Join(err, f.Close())
}

// awaitEnd waits for the process, which the last command of a session ends.
func awaitEnd(m *real.Machine) error {
	select {
	case <-m.Done():
		return nil
	case <-time.After(replyTimeout):
		return fmt.Errorf("did not end within %s", replyTimeout)
	}
}

// wire is a connection to a monitor.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

func (w *wire) send(data []byte) error {
	_, err := w.conn.Write(data)
	return err
}

func (w *wire) receive() (qmp.Value, error) {
	_ = w.conn.SetReadDeadline(time.Now().Add(replyTimeout))
	line, err := w.in.ReadBytes('\n')
	if err != nil {
		return qmp.Value{}, err
	}
	return qmp.Decode(bytes.TrimSpace(line))
}

// realClient is the session's connection, and one that only looks.
type realClient struct {
	main, eye wire
	greeting  qmp.Value
}

func dial(m *real.Machine) (*realClient, error) {
	c := &realClient{}
	first, second := m.Sockets()
	for i, path := range [...]string{first, second} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return nil, err
		}
		w := wire{conn, bufio.NewReaderSize(conn, 1<<16)}
		if c.greeting, err = w.receive(); err != nil {
			return nil, fmt.Errorf("greeting: %w", err)
		}
		*[...]*wire{&c.main, &c.eye}[i] = w
	}
	if _, err := c.look(negotiate().Command); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *realClient) close() {
	_ = c.main.conn.Close()
	_ = c.eye.conn.Close()
}

// session sends the steps. Those that set nothing off are sent many at a time: the
// server reads one ahead, and replies keep their order. What comes before the reply of
// such a step counts to it.
func (c *realClient) session(model []Turn) ([]Turn, error) {
	var turns []Turn
	for i := 0; i < len(model); {
		n := 1
		for ; !model[i].Busy && i+n < len(model) && !model[i+n].Busy && n < batchMax; n++ {
		}
		var data []byte
		for k := i; k < i+n; k++ {
			data = append(data, encode(k, model[k].Step)...)
		}
		if err := c.main.send(data); err != nil {
			return turns, err
		}
		for k := i; k < i+n; k++ {
			t, err := c.turn(k, model[k])
			turns = append(turns, t)
			if err != nil {
				return turns, fmt.Errorf("step %d: %w", k, err)
			}
		}
		i += n
	}
	return turns, nil
}

func encode(i int, s walk.Step) []byte {
	if s.Raw != "" {
		return []byte(s.Raw)
	}
	return append(qmp.Encode(s.Message(id(i))), '\n')
}

// turn reads what comes of one step.
func (c *realClient) turn(i int, model Turn) (Turn, error) {
	t := Turn{Step: model.Step, Busy: model.Busy}
	if model.Step.Raw == "" {
		if err := c.reply(&t, id(i)); err != nil || !model.Busy || model.Step.Command.Name == "quit" {
			return t, err
		}
	}
	if err := c.settle(&t, model); err != nil {
		return t, err
	}
	if err := c.barrier(&t); err != nil {
		return t, err
	}
	if err := c.deletions(&t, model); err != nil {
		return t, err
	}
	if !sameJobs(t.Jobs, model.Jobs) {
		return t, errApart
	}
	return t, nil
}

// errApart ends a session whose jobs do not come to where the simulator's are: the
// comparison finds that, and what follows would only wait in vain.
var errApart = errors.New("the jobs are not where the simulator's are")

// reply reads until the reply of that id.
func (c *realClient) reply(t *Turn, id string) error {
	for {
		v, err := c.main.receive()
		if err != nil {
			return err
		}
		t.Answers = append(t.Answers, v)
		if v.Get("id").S() == id && !v.Get("event").Present() {
			return nil
		}
	}
}

// barrierID marks the command after which nothing of a turn can come.
const barrierID = "barrier"

// barrier reads what has come by now.
func (c *realClient) barrier(t *Turn) error {
	if err := c.main.send([]byte(`{"execute":"query-name","id":"` + barrierID + `"}` + "\n")); err != nil {
		return err
	}
	for {
		v, err := c.main.receive()
		if err != nil {
			return err
		}
		if v.Get("id").S() == barrierID {
			return nil
		}
		t.Answers = append(t.Answers, v)
	}
}

// deletions reads until as many devices are gone as the simulator's: a device that a reset
// takes away is freed by a thread of its own, tens of milliseconds later.
func (c *realClient) deletions(t *Turn, model Turn) error {
	deadline := time.Now().Add(stillTimeout)
	for count(t.Answers, "DEVICE_DELETED") < count(model.Answers, "DEVICE_DELETED") && time.Now().Before(deadline) {
		if err := c.barrier(t); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

func count(messages []qmp.Value, event string) (n int) {
	for _, m := range messages {
		if m.Get("event").S() == event {
			n++
		}
	}
	return n
}

// settle waits until the jobs stand where the simulator's stand. If they never do the
// comparison says so.
func (c *realClient) settle(t *Turn, model Turn) error {
	deadline := time.Now().Add(stillTimeout)
	for wait := time.Duration(0); ; wait = min(wait+100*time.Microsecond, 5*time.Millisecond) {
		for i, q := range [...]string{"query-jobs", "query-block-jobs"} {
			v, err := c.look(qmp.Command{Name: q})
			if err != nil {
				return err
			}
			t.Jobs[i] = v
		}
		if sameJobs(t.Jobs, model.Jobs) || time.Now().After(deadline) {
			if throttled(model.Jobs[1]) {
				time.Sleep(loadTime)
			}
			return nil
		}
		time.Sleep(wait)
	}
}

// throttled reports whether a job of query-block-jobs waits for its speed limit.
func throttled(jobs qmp.Value) bool {
	return slices.ContainsFunc(jobs.Items(), func(j qmp.Value) bool {
		speed, _ := j.Get("speed").Int64()
		return speed > 0
	})
}

// sameJobs compares what jobs show, but for node names that a QEMU made up.
func sameJobs(a, b [2]qmp.Value) bool {
	for i := range a {
		if !a[i].Equal(b[i]) && (!madeUp(a[i]) || !nameless(a[i]).Equal(nameless(b[i]))) {
			return false
		}
	}
	return true
}

func nameless(v qmp.Value) qmp.Value {
	out, err := qmp.Decode(madeUpName().ReplaceAll(qmp.Encode(v), []byte("#block")))
	if err != nil {
		return v
	}
	return out
}

// look asks on the second connection.
func (c *realClient) look(cmd qmp.Command) (qmp.Value, error) {
	if err := c.eye.send(append(qmp.Encode(cmd.Message(qmp.Value{})), '\n')); err != nil {
		return qmp.Value{}, err
	}
	for {
		v, err := c.eye.receive()
		if err != nil || !v.Get("event").Present() {
			return v.Get("return"), err
		}
	}
}
