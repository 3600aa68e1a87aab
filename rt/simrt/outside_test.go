package simrt_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"fleece/rt/simrt"
)

// script is an Outside that lets inputs come at given times.
type script struct {
	inputs []time.Duration
	calls  []string
}

func (s *script) Idle(now, next time.Duration, listening bool) (time.Duration, bool) {
	s.calls = append(s.calls, fmt.Sprint(now, next, listening))
	if len(s.inputs) == 0 || !listening || next >= 0 && s.inputs[0] >= next {
		return next, false
	}
	at := s.inputs[0]
	s.inputs = s.inputs[1:]
	return at, true
}

// diary is what happened when.
type diary struct {
	w     *simrt.World
	lines []string
}

func (d *diary) note(what string) {
	d.lines = append(d.lines, fmt.Sprintf("%s %s", d.w.Now().Format("05.000"), what))
}

func TestAPacedWorldTakesInputsBetweenItsTimers(t *testing.T) {
	d := &diary{}
	r := simrt.Run(simrt.Options{Outside: &script{inputs: []time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond}}}, func(w *simrt.World) {
		d.w = w
		w.Spec().Go("job", func() {
			for range 2 {
				w.Spec().Sleep(time.Second)
				d.note("timer")
			}
		})
		for range 3 {
			w.Await()
			d.note("input")
		}
	})
	// An input at the instant of a timer comes after it.
	want := []string{"00.500 input", "01.000 timer", "01.000 input", "01.500 input"}
	if r.Failure != nil || !slices.Equal(d.lines, want) {
		t.Errorf("%v, failure %+v", d.lines, r.Failure)
	}
}

func TestAPacedWorldKeepsNothingPerStepAndItsHashIsThatOfItsInputs(t *testing.T) {
	run := func(at time.Duration, c simrt.Chooser) simrt.Result {
		return simrt.Run(simrt.Options{Outside: &script{inputs: []time.Duration{at}}, Chooser: c, KeepTrace: true}, func(w *simrt.World) {
			for range 3 {
				w.Spec().Go("task", func() { w.Spec().Sleep(0) })
			}
			w.Await()
		})
	}
	a, b, later := run(1, &uniform{s: 3}), run(1, &uniform{s: 3}), run(2, &uniform{s: 3})
	if a.Hash != b.Hash || a.Hash == later.Hash {
		t.Errorf("hashes %x %x %x", a.Hash, b.Hash, later.Hash)
	}
	if other := run(1, &uniform{s: 4}); other.Hash == a.Hash {
		t.Error("the chooser has no say")
	}
	if len(a.Deviations) != 0 {
		t.Errorf("%d deviations are kept", len(a.Deviations))
	}
}

func TestAPacedWorldThatCanNeverGoOnIsADeadlock(t *testing.T) {
	s := &script{}
	r := simrt.Run(simrt.Options{Outside: s}, func(w *simrt.World) { w.Await() })
	if r.Failure == nil || r.Failure.Kind != simrt.KindDeadlock {
		t.Errorf("%+v", r.Failure)
	}
	if want := []string{"0s -1ns true"}; !slices.Equal(s.calls, want) {
		t.Errorf("calls %q", s.calls)
	}
}

func TestAPacedWorldWhoseListenerIsBusyTakesNoInput(t *testing.T) {
	s := &script{inputs: []time.Duration{time.Second}}
	d := &diary{}
	r := simrt.Run(simrt.Options{Outside: s}, func(w *simrt.World) {
		d.w = w
		w.Spec().Sleep(2 * time.Second)
		s.inputs[0] = 3 * time.Second
		w.Await()
		d.note("input")
	})
	if r.Failure != nil || !slices.Equal(s.calls, []string{"0s 2s false", "2s -1ns true"}) || !slices.Equal(d.lines, []string{"03.000 input"}) {
		t.Errorf("calls %q, lines %q, failure %+v", s.calls, d.lines, r.Failure)
	}
}

func TestBeginIsTheTimeAtWhichAWorldBegins(t *testing.T) {
	begin := time.Date(2026, 11, 22, 10, 0, 0, 5, time.UTC)
	simrt.Run(simrt.Options{Begin: begin}, func(w *simrt.World) {
		mu := w.Spec().NewMutex("mu")
		cond := w.Spec().NewCond("cond", mu)
		mu.Lock()
		cond.WaitUntil(begin.Add(time.Second))
		if got := w.Now(); !got.Equal(begin.Add(time.Second)) {
			t.Errorf("now %v", got)
		}
	})
}
