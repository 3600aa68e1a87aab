package explore_test

import (
	"strings"
	"testing"

	"fleece/explore"
	"fleece/rt/simrt"
)

func failing(t *testing.T, s explore.Scenario) explore.Outcome {
	t.Helper()
	o, found := find(s, explore.NewRandom(), 5000)
	if !found {
		t.Fatal("no seed fails")
	}
	return o
}

func TestReplay_GivesTheSameFailureAndHash(t *testing.T) {
	for name, main := range map[string]func(w *simrt.World){
		"lock order": abba(false), "lost wake-up": lostWakeUp, "late registration": lateRegister,
		"fault": func(w *simrt.World) {
			if w.Spec().Choose("eof", 4) == 3 {
				w.Fail(simrt.KindCheck, "unexpected EOF")
			}
		},
	} {
		s := scenario(name, main)
		o := failing(t, s)
		for _, b := range []simrt.Backend{simrt.Coro, simrt.Baton} {
			pool := simrt.NewPool(b)
			r := explore.Replay(s, o.Trace, pool)
			pool.Close()
			if !r.SameFailure || !r.SameHash || len(r.Misses) > 0 {
				t.Errorf("%s: same failure %v, same hash %v, misses %v", name, r.SameFailure, r.SameHash, r.Misses)
			}
		}
	}
}

// short is a hand-made trace of the lock inversion: one deviation.
const short = `fleece-trace 1
scenario "lock order"
lane sim
strategy random
failure "deadlock cpLock,domLock"
dev backup lock cpLock 1 -> task events
`

func parse(t *testing.T, text string) *explore.Trace {
	t.Helper()
	tr, err := explore.ParseTrace([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestReplay_SurvivesALockThatWasAddedElsewhere(t *testing.T) {
	tr := parse(t, short)
	for _, extra := range []bool{false, true} {
		r := explore.Replay(scenario("lock order", abba(extra)), tr, nil)
		if !r.SameFailure || len(r.Misses) > 0 {
			t.Fatalf("extra lock %v: failure %+v, misses %v", extra, r.Failure, r.Misses)
		}
	}
}

func TestReplay_SkipsAndReportsWhatDoesNotFit(t *testing.T) {
	tr := parse(t, strings.Replace(short, "dev backup", `dev backup lock oldLock 1 -> task events
dev backup lock domLock 1 -> task gone
dev backup exit "" 1 -> clock
dev main go backup 1 -> value 2
dev backup`, 1))
	r := explore.Replay(scenario("lock order", abba(false)), tr, nil)
	if !r.SameFailure {
		t.Fatalf("the deviation that fits was not taken: %+v", r.Failure)
	}
	var got []string
	for _, m := range r.Misses {
		got = append(got, m.String())
	}
	want := []string{
		"deviation 1 (backup lock oldLock 1 -> task events): the run does not get there",
		"deviation 2 (backup lock domLock 1 -> task gone): the task cannot run there",
		`deviation 3 (backup exit "" 1 -> clock): the run does not get there`,
		"deviation 4 (main go backup 1 -> value 2): the trace has a value here, but now a task is to be chosen",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestReplay_OfNoDeviationsIsThePlainRun(t *testing.T) {
	s := scenario("late registration", lateRegister)
	plain := explore.Run(s, explore.Plain{}, 0, nil)
	r := explore.Replay(s, &explore.Trace{Scenario: s.Name, Hash: plain.Hash}, nil)
	if !r.SameHash || !r.SameFailure {
		t.Fatalf("same hash %v, failure %+v", r.SameHash, r.Failure)
	}
}

func TestReplay_TellsTasksOfOneNameApart(t *testing.T) {
	s := scenario("twins", func(w *simrt.World) {
		var order []int
		j := newJoin(w.Spec())
		for i := range 3 {
			w.Spec().Go("twin", func() {
				order = append(order, i)
				j.done()
			})
		}
		j.await(3)
		if order[0] == 2 {
			w.Fail(simrt.KindCheck, "the third came first")
		}
	})
	tr := parse(t, "fleece-trace 1\nscenario twins\ndev main go twin 3 -> task twin#3\n")
	if r := explore.Replay(s, tr, nil); r.Failure == nil || len(r.Misses) > 0 {
		t.Fatalf("failure %+v, misses %v", r.Failure, r.Misses)
	}
}
