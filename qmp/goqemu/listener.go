package goqemu

import (
	"context"
	"sync"

	api "github.com/digitalocean/go-qemu/qmp"
)

// listenerQueueMax is how many events a listener may leave unread.
const listenerQueueMax = 1 << 16

// listener is one channel of events with a queue before it, so that its reader
// may be as slow as it likes.
type listener struct {
	out chan api.Event

	mu       sync.Mutex
	more     chan struct{} // holds a token when queue or finished changed
	queue    []api.Event
	finished bool // nothing will be added
}

func newListener(backlog []api.Event) *listener {
	l := &listener{out: make(chan api.Event), more: make(chan struct{}, 1), queue: backlog}
	l.wake()
	return l
}

func (l *listener) wake() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// add queues an event; a queue that is full ends the listener.
func (l *listener) add(e api.Event) {
	l.mu.Lock()
	if !l.finished {
		l.queue = append(l.queue, e)
		l.finished = len(l.queue) >= listenerQueueMax
	}
	l.mu.Unlock()
	l.wake()
}

// finish lets the listener end after what is queued.
func (l *listener) finish() {
	l.mu.Lock()
	l.finished = true
	l.mu.Unlock()
	l.wake()
}

// take returns what is queued.
func (l *listener) take() (events []api.Event, finished bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events, l.queue = l.queue, nil
	return events, l.finished
}

// deliver passes events on until ctx or the listener ends.
func (l *listener) deliver(ctx context.Context) {
	defer l.finish()
	for {
		select {
		case <-l.more:
		case <-ctx.Done():
			return
		}
		events, finished := l.take()
		for _, e := range events {
			select {
			case l.out <- e:
			case <-ctx.Done():
				return
			}
		}
		if finished {
			return
		}
	}
}
