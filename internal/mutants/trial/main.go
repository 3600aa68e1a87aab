// Command trial runs named specs on the simulator, those that cannot run there on
// the real QEMU, and prints their results as one JSON list. It is what the mutants
// are built into: fleece itself takes three times as long to link.
//
// It is not for people; fleece run is.
//
// The property it keeps: a spec runs as fleece run runs it, with the same seed and
// schedules.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/conformance/specs"
	"fleece/real"
)

func main() {
	real.MaybeReaper()
	ids := flag.String("specs", "", "ids with commas between")
	schedules := flag.Int("schedules", 25, "explored schedules per spec")
	first := flag.Bool("first", false, "end at the first that does not pass")
	deadline := flag.Duration("deadline", time.Minute, "wall-clock bound of one spec")
	flag.Parse()
	lanes.TuneCollector()
	if err := run(strings.Split(*ids, ","), *schedules, *deadline, *first); err != nil {
		fmt.Fprintln(os.Stderr, "trial:", err)
		os.Exit(1)
	}
}

func run(ids []string, schedules int, deadline time.Duration, first bool) error {
	lane, err := lanes.Sim(lanes.Config{})
	if err != nil {
		return err
	}
	var results []conformance.Result
	for _, id := range ids {
		s, ok := find(id)
		if !ok {
			return fmt.Errorf("there is no spec %q", id)
		}
		results = append(results, conformance.RunOne(s, conformance.Options{
			Lane: laneOf(lane, s), Schedules: schedules, Seed: 1, Deadline: deadline,
		}))
		if first && results[len(results)-1].State != conformance.StatePass {
			break
		}
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}

// laneOf is the simulator, or, for a spec that needs what it has not, the real QEMU
// if there is one.
func laneOf(sim conformance.Lane, s conformance.Spec) conformance.Lane {
	for _, f := range s.Needs {
		if has, _ := sim.Has(f); !has {
			if qemu, err := lanes.QEMU(lanes.Config{}); err == nil {
				return qemu
			}
		}
	}
	return sim
}

func find(id string) (conformance.Spec, bool) {
	for _, s := range specs.All() {
		if s.ID == id {
			return s, true
		}
	}
	return conformance.Spec{}, false
}
