package realrt

import (
	"runtime"
	"testing"
	"time"
)

func TestWaitUntil_ReportsAWakeUpThatCameBeforeTheDeadline(t *testing.T) {
	p := NewWorld().NewProcess("driver").(*process)
	m := p.NewMutex("mu").(*mutex)
	c := p.NewCond("cond", m).(*cond)
	for i := range 2000 {
		deadline := make(chan time.Time)
		woken := make(chan bool)
		m.Lock()
		go func() {
			m.Lock()
			defer m.Unlock()
			woken <- c.wait(deadline)
		}()
		for queued := false; !queued; { // until it stands in the queue
			m.Unlock()
			runtime.Gosched()
			m.Lock()
			c.mu.Lock()
			queued = len(c.q) == 1
			c.mu.Unlock()
		}
		c.Signal()
		close(deadline)
		m.Unlock()
		if !<-woken {
			t.Fatalf("round %d: a wake-up was reported as a time-out", i)
		}
	}
}
