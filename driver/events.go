package driver

import "fleece/virt"

// eventQueue holds what was not delivered yet. The driver's leaf lock protects it.
type eventQueue struct {
	waiting   []virt.Event
	listeners []listener
	nextID    int
	// delivering says that the dispatcher task runs; there is at most one, so
	// that the order is kept.
	delivering bool
}

type listener struct {
	id      int
	deliver func(virt.Event)
}

// RegisterEvents makes deliver hear of every event from now on, in order, in a
// task that holds no lock.
func (d *Driver) RegisterEvents(deliver func(virt.Event)) (cancel func()) {
	d.mu.Lock()
	q := &d.events
	q.nextID++
	id := q.nextID
	q.listeners = append(q.listeners[:len(q.listeners):len(q.listeners)], listener{id, deliver})
	d.mu.Unlock()
	return func() { d.unregister(id) }
}

func (d *Driver) unregister(id int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var kept []listener
	for _, l := range d.events.listeners {
		if l.id != id {
			kept = append(kept, l)
		}
	}
	d.events.listeners = kept
}

// emit queues an event. The lock of a domain may be held.
func (d *Driver) emit(e virt.Event) {
	d.mu.Lock()
	q := &d.events
	q.waiting = append(q.waiting, e)
	start := !q.delivering
	q.delivering = true
	d.mu.Unlock()
	if start {
		d.p.Go("events", d.deliver)
	}
}

// deliver is the dispatcher: it ends when nothing waits.
func (d *Driver) deliver() {
	for {
		d.mu.Lock()
		q := &d.events
		if len(q.waiting) == 0 {
			q.delivering = false
			d.mu.Unlock()
			return
		}
		batch, listeners := q.waiting, q.listeners
		q.waiting = nil
		d.mu.Unlock()
		for _, e := range batch {
			for _, l := range listeners {
				l.deliver(e)
			}
		}
	}
}
