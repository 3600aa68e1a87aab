package simrt

// Backend is what tasks run on.
type Backend uint8

const (
	// Coro runs tasks on coroutines of iter.Pull: the fast one.
	Coro Backend = iota
	// Baton runs tasks on goroutines that hand a baton over channels: for
	// debuggers, and as a cross-check of the first. Same runs, same hashes.
	Baton
)

// idleMax bounds the idle coroutines that a pool keeps.
const idleMax = 512

// Pool keeps coroutines, with their grown stacks, and tables from one run to the
// next. It belongs to one goroutine at a time, which must resume coroutines under
// the same runtime.LockOSThread state always: do not lock it to a thread.
type Pool struct {
	backend Backend
	idle    []*worker
	tasks   []*task
	names   *names
	serial  uint64 // number of the world
	scratch scratch
}

// scratch is the memory of a world that has no pointer from outside.
type scratch struct {
	runq    []*task
	live    []*task
	timers  []*task
	devs    []deviation
	mutexes []*mutex
}

// NewPool makes an empty pool. Close it, or its coroutines stay for ever.
func NewPool(b Backend) *Pool {
	return &Pool{backend: b, names: newNames()}
}

// Close ends the idle coroutines. The pool may be used again.
func (p *Pool) Close() {
	for i, k := range p.idle {
		k.stop()
		p.idle[i] = nil
	}
	p.idle = p.idle[:0]
}

// begin makes the pool ready for another world.
func (p *Pool) begin() {
	p.serial++
	if len(p.names.m) > namesMax {
		p.names = newNames()
	}
}

func (p *Pool) worker() *worker {
	n := len(p.idle)
	if n == 0 {
		return newWorker(p.backend)
	}
	k := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	return k
}

func (p *Pool) putWorker(k *worker) {
	k.t = nil
	if len(p.idle) >= idleMax {
		k.stop()
		return
	}
	p.idle = append(p.idle, k)
}

func (p *Pool) task() *task {
	n := len(p.tasks)
	if n == 0 {
		return &task{}
	}
	t := p.tasks[n-1]
	p.tasks[n-1] = nil // it may not come back, and would keep its world
	p.tasks = p.tasks[:n-1]
	return t
}

func (p *Pool) putTask(t *task) {
	counts := t.counts
	counts.reset()
	*t = task{counts: counts}
	if len(p.tasks) < idleMax {
		p.tasks = append(p.tasks, t)
	}
}
