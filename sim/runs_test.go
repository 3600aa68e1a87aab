package sim

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRunSet_IsASetOfIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 64
		var s runSet
		var model [limit]bool
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			lo := rapid.Int64Range(0, limit-1).Draw(t, "lo")
			hi := rapid.Int64Range(lo, limit).Draw(t, "hi")
			add := rapid.Bool().Draw(t, "add")
			if add {
				s.add(lo, hi)
			} else {
				s.remove(lo, hi)
			}
			for i := lo; i < hi; i++ {
				model[i] = add
			}
			checkRunSet(t, &s, model[:])
		}
	})
}

func TestRunSet_ClonesAndUnionsAreIndependentSets(t *testing.T) {
	const limit, sets = 128, 3
	rapid.Check(t, func(t *rapid.T) {
		var s [sets]runSet
		var model [sets][limit]bool
		which := rapid.IntRange(0, sets-1)
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			i, from := which.Draw(t, "set"), which.Draw(t, "from")
			lo := rapid.Int64Range(0, limit-1).Draw(t, "lo")
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 5: // single members make many runs
				s[i].add(lo, lo+1)
				model[i][lo] = true
			case op < 7:
				s[i].remove(lo, lo+1)
				model[i][lo] = false
			case op == 7:
				s[i].clear()
				model[i] = [limit]bool{}
			case op == 8:
				s[i], model[i] = s[from].clone(), model[from]
			default:
				s[i].unite(&s[from])
				for k, set := range model[from] {
					model[i][k] = model[i][k] || set
				}
			}
			for k := range s {
				checkRunSet(t, &s[k], model[k][:])
			}
		}
	})
}

func checkRunSet(t *rapid.T, s *runSet, model []bool) {
	count := int64(0)
	for i, want := range model {
		if want {
			count++
		}
		if got := s.has(int64(i)); got != want {
			t.Fatalf("has(%d) = %v, want %v in %v", i, got, want, s.runs)
		}
		next := int64(-1)
		for j := i; j < len(model) && next < 0; j++ {
			if model[j] {
				next = int64(j)
			}
		}
		r, ok := s.next(int64(i))
		if ok != (next >= 0) || ok && r.lo != next {
			t.Fatalf("next(%d) = %v %v, want %d in %v", i, r, ok, next, s.runs)
		}
	}
	if s.count != count {
		t.Fatalf("count = %d, want %d in %v", s.count, count, s.runs)
	}
	for i, r := range s.runs {
		if r.lo >= r.hi || i > 0 && s.runs[i-1].hi >= r.lo {
			t.Fatalf("runs are not in normal form: %v", s.runs)
		}
	}
}
