package real

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Operations of the reaper.
const (
	opStart = "start"
	opKill  = "kill"
	opMount = "mount"
	opLimit = "limit" // of the size of files that a process may write
)

// request is one line to the reaper.
type request struct {
	ID     int      `json:"id"`
	Op     string   `json:"op"`
	Args   []string `json:"args,omitempty"`
	Stdout string   `json:"stdout,omitempty"`
	Stderr string   `json:"stderr,omitempty"`
	Path   string   `json:"path,omitempty"`
	Bytes  int64    `json:"bytes,omitempty"`
	Pid    int      `json:"pid,omitempty"`
}

// answer is one line from the reaper: the answer to a request, or, with ID 0,
// that a process has ended.
type answer struct {
	ID     int    `json:"id"`
	Pid    int    `json:"pid,omitempty"`
	Err    string `json:"err,omitempty"`
	Ended  int    `json:"ended,omitempty"` // the id of the request that started what ended
	Status string `json:"status,omitempty"`
}

// reaper is the connection to the child that owns the QEMUs. When this process
// ends, however it does, the child's standard input ends, and it kills what it
// started. (PR_SET_PDEATHSIG follows the thread that forked, and Go's threads
// come and go.)
type reaper struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	namespace error // why there is no mount namespace; nil if there is one

	mu      sync.Mutex
	nextID  int
	waiting map[int]chan answer
	exits   map[int]chan struct{} // by the id of the request that started it
	ended   bool
}

// reaperVariable tells a child of ours that it is the reaper, of which directory.
const reaperVariable = "FLEECE_REAPER_OF"

// userNamespaceVariable tells it that it is in a user namespace of its own.
const userNamespaceVariable = "FLEECE_REAPER_USERNS"

// startReaper runs this program again as the reaper, in a mount namespace of its
// own if that is possible.
func startReaper(dir string) (*reaper, error) {
	if os.Getenv(reaperVariable) != "" {
		// It would start itself for ever.
		return nil, errors.New("this process was started as a reaper and went on: the program must call real.MaybeReaper first in main, or in TestMain")
	}
	var reasons []error
	for _, attributes := range namespaces() {
		r, err := spawnReaper(dir, attributes)
		if err == nil {
			if attributes == nil {
				r.namespace = errors.Join(reasons...)
			}
			return r, nil
		}
		reasons = append(reasons, err)
	}
	return nil, fmt.Errorf("start the reaper: %w", errors.Join(reasons...))
}

// namespaces lists how to get a private mount namespace, best first, and nil for
// none.
func namespaces() []*syscall.SysProcAttr {
	if os.Geteuid() == 0 {
		return []*syscall.SysProcAttr{{Unshareflags: syscall.CLONE_NEWNS}, nil}
	}
	return []*syscall.SysProcAttr{{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}, nil}
}

func spawnReaper(dir string, attributes *syscall.SysProcAttr) (*reaper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	// The race detector would sleep a second when the reaper exits.
	cmd.Env = append(os.Environ(), reaperVariable+"="+dir, "GORACE=atexit_sleep_ms=0")
	if attributes != nil && attributes.Cloneflags&syscall.CLONE_NEWUSER != 0 {
		cmd.Env = append(cmd.Env, userNamespaceVariable+"=1")
	}
	cmd.SysProcAttr = attributes
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &reaper{cmd: cmd, in: in, waiting: make(map[int]chan answer), exits: make(map[int]chan struct{})}
	go r.listen(out)
	if _, err := r.do(request{Op: "hello"}); err != nil {
		_ = r.close()
		return nil, fmt.Errorf("%w: the program must call real.MaybeReaper first", err)
	}
	return r, nil
}

// root is where this process sees the reaper's files; "" if they are the same.
func (r *reaper) root() string {
	if r.namespace != nil {
		return ""
	}
	return fmt.Sprintf("/proc/%d/root", r.cmd.Process.Pid)
}

var errReaperGone = errors.New("the reaper is gone")

// do sends a request and waits for its answer.
func (r *reaper) do(q request) (answer, error) {
	if q.Op == opMount && r.namespace != nil {
		return answer{}, fmt.Errorf("no private mount namespace: %w", r.namespace)
	}
	ch := make(chan answer, 1)
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return answer{}, errReaperGone
	}
	r.nextID++
	q.ID = r.nextID
	r.waiting[q.ID] = ch
	line, err := json.Marshal(q)
	if err == nil {
		_, err = r.in.Write(append(line, '\n'))
	}
	r.mu.Unlock()
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errReaperGone, err)
	}
	a, ok := <-ch
	if !ok {
		return answer{}, errReaperGone
	}
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

// start starts a process; done is closed when it is gone.
func (r *reaper) start(q request) (pid int, done chan struct{}, err error) {
	a, err := r.do(q)
	if err != nil {
		return 0, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return a.Pid, r.exitOf(a.ID), nil
}

// exitOf runs with mu held. The end of a process may be told before its start.
func (r *reaper) exitOf(id int) chan struct{} {
	if r.exits[id] == nil {
		r.exits[id] = make(chan struct{})
	}
	return r.exits[id]
}

// listen reads answers until the reaper ends.
func (r *reaper) listen(out io.Reader) {
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		var a answer
		if json.Unmarshal(sc.Bytes(), &a) != nil {
			continue
		}
		r.mu.Lock()
		if a.ID == 0 {
			close(r.exitOf(a.Ended))
		} else if ch := r.waiting[a.ID]; ch != nil {
			delete(r.waiting, a.ID)
			ch <- a
		}
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for id, ch := range r.waiting {
		delete(r.waiting, id)
		close(ch)
	}
}

// close ends the reaper, which kills what it started.
func (r *reaper) close() error {
	_ = r.in.Close()
	return r.cmd.Wait()
}

// MaybeReaper makes this process the reaper if it was started as one, and then
// does not return. Every program that uses NewHypervisor calls it first.
func MaybeReaper() {
	dir := os.Getenv(reaperVariable)
	if dir == "" {
		return
	}
	_ = os.Unsetenv(reaperVariable)
	served := &reaperServer{out: json.NewEncoder(os.Stdout), children: make(map[int]*exec.Cmd)}
	// SIGXFSZ: see start. SIGPIPE: nobody may listen any more when all is killed.
	signal.Ignore(unix.SIGXFSZ, unix.SIGPIPE)
	if os.Getenv(userNamespaceVariable) != "" {
		// Later mounts must not spread to the host, nor can they from here.
		_ = unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	}
	sc := bufio.NewScanner(os.Stdin)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var q request
		if err := json.Unmarshal(sc.Bytes(), &q); err == nil {
			served.serve(q)
		}
	}
	served.killAll()
	if strings.HasPrefix(filepath.Base(dir), "fleece-") {
		_ = os.RemoveAll(dir)
	}
	os.Exit(0)
}

// reaperServer is the reaper's side.
type reaperServer struct {
	mu       sync.Mutex
	out      *json.Encoder
	children map[int]*exec.Cmd
	wg       sync.WaitGroup
}

func (s *reaperServer) say(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.out.Encode(a)
}

func (s *reaperServer) serve(q request) {
	a := answer{ID: q.ID}
	var err error
	switch q.Op {
	case "hello":
	case opStart:
		a.Pid, err = s.start(q)
	case opKill:
		err = s.signal(q.Pid)
	case opMount:
		err = unix.Mount("tmpfs", q.Path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,mode=0777", q.Bytes))
	case opLimit:
		limit := unix.Rlimit{Cur: uint64(q.Bytes), Max: uint64(q.Bytes)}
		err = unix.Prlimit(q.Pid, unix.RLIMIT_FSIZE, &limit, nil)
	default:
		err = fmt.Errorf("unknown operation %q", q.Op)
	}
	if err != nil {
		a.Err = err.Error()
	}
	s.say(a)
}

// start starts QEMU. SIGXFSZ is ignored, so that a limit on file sizes is an
// error of the write, as a full disk is.
func (s *reaperServer) start(q request) (int, error) {
	stdout, err := os.OpenFile(q.Stdout, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return 0, err
	}
	defer stdout.Close()
	stderr, err := os.OpenFile(q.Stderr, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer stderr.Close()
	cmd := exec.Command(q.Args[0], q.Args[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pid := cmd.Process.Pid
	s.mu.Lock()
	s.children[pid] = cmd
	s.mu.Unlock()
	s.wg.Go(func() {
		_ = cmd.Wait()
		s.mu.Lock()
		delete(s.children, pid)
		s.mu.Unlock()
		s.say(answer{Pid: pid, Ended: q.ID, Status: cmd.ProcessState.String()})
	})
	return pid, nil
}

func (s *reaperServer) signal(pid int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cmd := s.children[pid]; cmd != nil {
		return cmd.Process.Kill()
	}
	return nil
}

func (s *reaperServer) killAll() {
	s.mu.Lock()
	for _, cmd := range s.children {
		_ = cmd.Process.Kill()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
