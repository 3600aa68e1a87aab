package hosttest

import (
	"sync"
	"time"

	"fleece/rt"
)

// Process is the smallest process that a host can serve: goroutines, the wall
// clock, no choices. It stands in for a world in tests of hosts; its Go, Sleep
// and conditions are not there.
type Process struct {
	rt.Process // nil: whatever is not defined below is not used by a host

	name  string
	mu    sync.Mutex
	dead  bool
	hooks []func()
}

// NewProcess makes a live process. It serves as a kernel runtime as well.
func NewProcess(name string) *Process { return &Process{name: name} }

// Name is the name given to NewProcess.
func (p *Process) Name() string { return p.name }

// Now is the wall clock.
func (p *Process) Now() time.Time { return time.Now() }

// NewMutex makes a plain lock.
func (p *Process) NewMutex(string) rt.Mutex { return &sync.Mutex{} }

// Choose is the plain case.
func (p *Process) Choose(string, int) int { return 0 }

// Note goes nowhere.
func (p *Process) Note(kind string, _ ...any) {}

// Call runs f in the calling goroutine.
func (p *Process) Call(_ string, f func()) error { f(); return nil }

// Alive reports whether Kill was not called yet.
func (p *Process) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead
}

// Kill runs the hooks of OnKill.
func (p *Process) Kill() {
	p.mu.Lock()
	p.dead = true
	hooks := p.hooks
	p.hooks = nil
	p.mu.Unlock()
	for _, f := range hooks {
		f()
	}
}

// OnKill registers f to run at Kill.
func (p *Process) OnKill(f func()) (cancel func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hooks = append(p.hooks, f)
	return func() {}
}
