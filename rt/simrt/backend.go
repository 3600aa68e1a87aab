package simrt

import "iter"

// worker is one coroutine. It outlives the task and the run.
type worker struct {
	next  func() (struct{}, bool) // resume; returns when the task parks or ends
	stop  func()                  // ends an idle worker
	yield func(struct{}) bool     // park; only on the coroutine itself
	t     *task                   // what to run, or what it runs
}

func newWorker(b Backend) *worker {
	k := &worker{}
	pull := iter.Pull[struct{}]
	if b == Baton {
		pull = batonPull
	}
	k.next, k.stop = pull(func(yield func(struct{}) bool) {
		k.yield = yield
		for {
			k.t.run(k)
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return k
}

// discard ends a worker whose task left by runtime.Goexit: it is parked inside a
// deferred function, and iter.Pull hands the Goexit on to whoever resumes it. So
// a goroutine is sacrificed to it.
func (k *worker) discard() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.next()
	}()
	<-done
}

// batonPull is iter.Pull on a plain goroutine.
func batonPull(seq iter.Seq[struct{}]) (next func() (struct{}, bool), stop func()) {
	resume, parked := make(chan bool), make(chan bool)
	started, ended := false, false
	body := func() {
		defer func() {
			ended = true
			parked <- false
		}()
		if !<-resume {
			return
		}
		seq(func(struct{}) bool {
			parked <- true
			return <-resume
		})
	}
	hand := func(goOn bool) bool {
		if ended || !started && !goOn {
			return false
		}
		if !started {
			started = true
			go body()
		}
		resume <- goOn
		return <-parked
	}
	return func() (struct{}, bool) { return struct{}{}, hand(true) }, func() { hand(false) }
}
