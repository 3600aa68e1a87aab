package explore_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"fleece/explore"
	"fleece/rt"
	"fleece/rt/simrt"
)

// everything uses each primitive, kills included.
func everything(w *simrt.World) {
	spec, driver, qemu := w.Spec(), w.NewProcess("driver"), w.NewProcess("qemu")
	k := w.Kernel()
	mu := k.NewMutex("pipe.lock")
	cond := k.NewCond("pipe", mu)
	var queue []int
	driver.OnKill(func() { mu.Lock(); cond.Broadcast(); mu.Unlock() })
	j := newJoin(spec)
	qemu.Go("server", func() {
		for i := range 6 {
			qemu.Sleep(time.Duration(1+qemu.Choose("latency", 3)) * ms)
			rt.Point(qemu, "send", "qmp")
			mu.Lock()
			queue = append(queue, i)
			cond.Signal()
			mu.Unlock()
		}
		j.done()
	})
	for range 2 {
		driver.Go("reader", func() {
			for {
				mu.Lock()
				for len(queue) == 0 {
					if !cond.WaitUntil(driver.Now().Add(5 * ms)) {
						driver.Note("timeout", len(queue))
					}
				}
				queue = queue[1:]
				mu.Unlock()
			}
		})
	}
	spec.Go("caller", func() {
		_ = driver.Call("begin", func() { driver.Sleep(2 * ms) })
		j.done()
	})
	spec.Sleep(2 * ms)
	driver.Kill()
	j.await(2)
}

// foldSeeds is one number for the runs of the first seeds.
func foldSeeds(b simrt.Backend, st explore.Strategy) uint64 {
	pool := simrt.NewPool(b)
	defer pool.Close()
	h := uint64(0)
	for seed := range seedsPinned {
		o := explore.Run(scenario("everything", everything), st, uint64(seed), pool)
		h = h*31 + o.Hash
		if o.Failure != nil {
			return 0
		}
	}
	return h
}

// pinned are the folds of the hash of version 1, from any process that ever ran,
// with and without the race detector. They change when the code above does, and
// with HashVersion or PRNGVersion.
var pinned = map[string]uint64{
	"plain":  0xdbb6bb131f8ee040,
	"random": 0xfdca0014b15a0acf,
}

const seedsPinned = 300

func TestHash_IsTheSameEverywhere(t *testing.T) {
	for name, want := range pinned {
		st := func() explore.Strategy {
			st, err := explore.ParseStrategy(name)
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		check := func(where string, got uint64) {
			t.Helper()
			if got != want {
				t.Errorf("%s, %s: %#x, want %#x", name, where, got, want)
			}
		}
		check("first", foldSeeds(simrt.Coro, st()))
		check("again", foldSeeds(simrt.Coro, st()))
		check("other backend", foldSeeds(simrt.Baton, st()))
		for _, procs := range []int{1, 2} {
			was := runtime.GOMAXPROCS(procs)
			check(fmt.Sprintf("GOMAXPROCS %d", procs), foldSeeds(simrt.Coro, st()))
			runtime.GOMAXPROCS(was)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				check(fmt.Sprintf("parallel world %d", i), foldSeeds(simrt.Backend(i%2), st()))
			})
		}
		wg.Wait()
	}
}

const childVariable = "FLEECE_EXPLORE_TEST_FOLD"

func TestHash_IsTheSameInAnotherProcess(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		fmt.Printf("fold=%#x\n", foldSeeds(simrt.Coro, explore.NewRandom()))
		return
	}
	for _, gogc := range []string{"20", "off"} {
		c := exec.Command(os.Args[0], "-test.run=^TestHash_IsTheSameInAnotherProcess$", "-test.v")
		c.Env = append(os.Environ(), childVariable+"=1", "GOGC="+gogc)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var got uint64
		for line := range lines(out) {
			_, _ = fmt.Sscanf(line, "fold=%v", &got)
		}
		if got != pinned["random"] {
			t.Errorf("GOGC=%s: %#x, want %#x\n%s", gogc, got, pinned["random"], out)
		}
	}
}

func TestHash_DiffersBetweenSchedules(t *testing.T) {
	pool := simrt.NewPool(simrt.Coro)
	defer pool.Close()
	seen := make(map[uint64]bool)
	for seed := range 1000 {
		seen[explore.Run(scenario("everything", everything), explore.NewRandom(), uint64(seed), pool).Hash] = true
	}
	if len(seen) < 990 {
		t.Fatalf("1000 seeds gave %d hashes", len(seen))
	}
}

func TestHash_DoesNotDependOnNotesOrOnLogging(t *testing.T) {
	s := scenario("everything", everything)
	quiet := explore.Run(s, explore.NewRandom(), 7, nil)
	s.World.KeepLog, s.World.KeepTrace = true, true
	loud := explore.Run(s, explore.NewRandom(), 7, nil)
	if quiet.Hash != loud.Hash || len(loud.Log) < loud.Steps/2 {
		t.Fatalf("hash %#x and %#x, %d entries", quiet.Hash, loud.Hash, len(loud.Log))
	}
}
