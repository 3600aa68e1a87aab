package simrt

import (
	"slices"
	"strings"
)

// waitersMax bounds the tasks that a deadlock's text names.
const waitersMax = 64

// deadlock fails the world: nothing can run and no timer is set.
func (w *World) deadlock() {
	chain := w.cycle()
	if chain == nil {
		chain = w.chainFrom(w.mainTask)
	}
	w.failDeadlock(chain, w.isCycle(chain))
}

// selfDeadlock fails the world since t wants a lock that it holds.
func (w *World) selfDeadlock(t *task) {
	t.state = stateBlocked
	w.failDeadlock([]*task{t}, true)
	t.park()
}

func (w *World) failDeadlock(chain []*task, closed bool) {
	var text, places []string
	for _, t := range chain {
		text = append(text, t.waiting())
		places = append(places, t.waitsOn())
	}
	if closed {
		slices.Sort(places)
	} else {
		text = append(text, w.others(chain)...)
		places = places[max(0, len(places)-1):]
	}
	w.fail(&Failure{Kind: KindDeadlock, Detail: strings.Join(text, "; "), Place: strings.Join(places, ",")})
	w.next = nil
}

// others are the waiting tasks outside of the chain, sorted.
func (w *World) others(chain []*task) []string {
	var text []string
	for _, t := range w.live {
		if t.state == stateBlocked && !slices.Contains(chain, t) && len(text) < waitersMax {
			text = append(text, t.waiting())
		}
	}
	slices.Sort(text)
	return text
}

// waitsFor is the task that must act before t can go on, if it is known.
func (t *task) waitsFor() *task {
	switch {
	case t.state != stateBlocked:
		return nil
	case t.wants != nil:
		return t.wants.own
	default:
		return t.callee
	}
}

// chainFrom follows waitsFor from t, which comes first.
func (w *World) chainFrom(t *task) []*task {
	var chain []*task
	for t != nil && t.state == stateBlocked && !slices.Contains(chain, t) {
		chain = append(chain, t)
		t = t.waitsFor()
	}
	return chain
}

func (w *World) isCycle(chain []*task) bool {
	return len(chain) > 0 && chain[len(chain)-1].waitsFor() == chain[0]
}

// cycle finds tasks that wait for each other; the first by name comes first.
func (w *World) cycle() []*task {
	for _, t := range w.live {
		chain := w.chainFrom(t)
		if !w.isCycle(chain) {
			continue
		}
		first := 0
		for i, u := range chain {
			if u.label() < chain[first].label() {
				first = i
			}
		}
		return slices.Concat(chain[first:], chain[:first])
	}
	return nil
}

// waitsOn names what t waits for.
func (t *task) waitsOn() string {
	switch {
	case t.wants != nil:
		return t.wants.name.s
	case t.cond != nil:
		return t.cond.name.s
	case t.callee != nil:
		return "call " + t.callee.label()
	}
	return t.op.s
}

// waiting says in words what t waits for.
func (t *task) waiting() string {
	s := t.label() + " waits for " + t.waitsOn()
	if t.wants != nil && t.wants.own != nil {
		s += " held by " + t.wants.own.label()
		if t.wants.own.state == stateDone {
			s += ", which ended"
		}
	}
	return s
}
