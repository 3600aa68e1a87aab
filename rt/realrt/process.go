package realrt

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"fleece/rt"
)

// process implements rt.Process. The kernel is one that never dies.
type process struct {
	w    *World
	name string
	// dead is closed AFTER the hooks ran: tasks end only when all is fenced.
	dead chan struct{}

	mu     sync.Mutex // protects what follows
	killed bool
	hooks  []*hook
}

type hook struct{ f func() }

var _ rt.Process = (*process)(nil)

func newProcess(w *World, name string) *process {
	return &process{w: w, name: name, dead: make(chan struct{})}
}

// Name is the name of the process.
func (p *process) Name() string { return p.name }

// Alive reports whether Kill was not called yet.
func (p *process) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.killed
}

// Now is the wall clock's time, with its monotonic part.
func (p *process) Now() time.Time { return time.Now() }

// Choose is always the plain case.
func (p *process) Choose(string, int) int { return 0 }

// Note gives a line to the listener, if there is one.
func (p *process) Note(kind string, args ...any) {
	if p.w.onNote != nil {
		p.w.onNote(p.name, kind, args)
	}
}

// Go starts a task; of a dead process, none.
func (p *process) Go(name string, f func()) {
	if p.Alive() {
		p.w.start(p, name, f, nil)
	}
}

// Call runs f as a task of p and waits for it, or for the death of p. A task that
// panicked into OnPanic counts as killed.
func (p *process) Call(name string, f func()) error {
	if !p.Alive() {
		return rt.ErrKilled
	}
	returned := false
	done := make(chan struct{})
	p.w.start(p, name, func() {
		f()
		returned = true
	}, func() { close(done) })
	select {
	case <-p.dead:
		return rt.ErrKilled
	case <-done:
	}
	if !returned || !p.Alive() {
		return rt.ErrKilled
	}
	return nil
}

// Sleep ends the task if the process dies meanwhile.
func (p *process) Sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.dead:
	case <-timer.C:
	}
	p.dieIfDead()
}

// dieIfDead ends the calling task of a dead process.
func (p *process) dieIfDead() {
	select {
	case <-p.dead:
		runtime.Goexit()
	default:
	}
}

// OnKill registers f to run at Kill.
func (p *process) OnKill(f func()) (cancel func()) {
	h := &hook{f: f}
	p.mu.Lock()
	dead := p.killed
	if !dead {
		p.hooks = append(p.hooks, h)
	}
	p.mu.Unlock()
	if dead {
		f()
		return func() {}
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.hooks = slices.DeleteFunc(p.hooks, func(o *hook) bool { return o == h })
	}
}

// Kill ends the process: hooks in order, then its tasks notice. A task that
// kills its own process ends here.
func (p *process) Kill() {
	if p == p.w.kernel {
		panic("realrt: the kernel cannot be killed")
	}
	p.mu.Lock()
	if p.killed {
		p.mu.Unlock()
		return
	}
	p.killed = true
	p.mu.Unlock()
	for f := p.nextHook(); f != nil; f = p.nextHook() {
		f()
	}
	close(p.dead)
	if t := p.w.task(goroutineID()); t != nil && t.p == p {
		runtime.Goexit()
	}
}

// nextHook takes the first hook; nil when there is none.
func (p *process) nextHook() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.hooks) == 0 {
		return nil
	}
	f := p.hooks[0].f
	p.hooks = p.hooks[1:]
	return f
}
