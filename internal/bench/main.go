// Command bench measures, in one run, how many whole backup cycles per second the
// simulator and a real QEMU do, and prints the ratio; how many bare choice points
// per second the scheduler makes; how the cost of the simulator follows the size
// of disks and the number of dirty granules; and how many QMP round trips per second
// fleece serve and a real QEMU do; how long nbdcopy takes from fleece serve, qemu-nbd
// and nbdkit; and how long fleece and qemu-img compare two images.
//
// It is a development tool. It judges nothing: the floor is checked by whoever
// reads it.
//
// The property it keeps: both sides run the same cycle, through the same driver and
// the same checks, and machine start is left out on both.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/real"
)

func main() {
	real.MaybeReaper()
	lanes.TuneCollector()
	simSeconds := flag.Float64("sim", 3, "seconds of cycles on the simulator")
	qemuCycles := flag.Int("qemu", 40, "cycles on the real QEMU; 0 leaves it out")
	fleece := flag.String("fleece", "", "the built fleece, to compare its server with QEMU's; empty leaves it out")
	only := flag.String("only", "", "one part: cycles, serve or images")
	flag.Parse()
	part := func(name string) bool { return *only == "" || *only == name }
	var err error
	if part("cycles") {
		err = run(*simSeconds, *qemuCycles)
	}
	if err == nil && *fleece != "" && part("serve") {
		err = serve(*fleece)
	}
	if err == nil && *fleece != "" && part("images") {
		err = images(*fleece)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

func run(simSeconds float64, qemuCycles int) error {
	sim, err := lanes.Sim(lanes.Config{})
	if err != nil {
		return err
	}
	cores := runtime.GOMAXPROCS(1) // figures are per core, the collector's work included
	var onSim tally
	for start := time.Now(); time.Since(start).Seconds() < simSeconds; {
		if err := cycles(sim, cyclesPerMachine, &onSim); err != nil {
			return err
		}
	}
	onSim.print("sim")
	runtime.GOMAXPROCS(cores)
	var onQEMU tally
	if qemuCycles > 0 {
		qemu, err := lanes.QEMU(lanes.Config{})
		if err != nil {
			return fmt.Errorf("%w (leave the real QEMU out with -qemu 0)", err)
		}
		for onQEMU.cycles < qemuCycles {
			if err := cycles(qemu, cyclesPerMachine, &onQEMU); err != nil {
				return err
			}
		}
		onQEMU.print("qemu")
		fmt.Printf("ratio sim : qemu = %.0f : 1\n", onSim.perSecond()/onQEMU.perSecond())
	}
	points()
	return scale(sim)
}

// cyclesPerMachine is how many cycles run on one machine: checkpoints pile up on
// it, so it is kept small, and the same on both sides.
const cyclesPerMachine = 4

// tally sums up cycles by part.
type tally struct {
	cycles int
	points int // choice points of the cycles alone
	parts  [len(partNames)]time.Duration
}

var partNames = [...]string{"Begin", "copy to the event", "queries", "End", "image check"}

func (t *tally) perSecond() float64 { return float64(t.cycles) / t.sum().Seconds() }

func (t *tally) sum() time.Duration {
	var sum time.Duration
	for _, p := range t.parts {
		sum += p
	}
	return sum
}

func (t *tally) print(lane string) {
	fmt.Printf("%-5s %d cycles, %.0f cycles/s on one core, %.1f µs per cycle", lane, t.cycles, t.perSecond(),
		float64(t.sum().Nanoseconds())/1e3/float64(t.cycles))
	if t.points > 0 {
		fmt.Printf(", %d choice points per cycle", t.points/t.cycles)
	}
	fmt.Println()
	for i, p := range t.parts {
		fmt.Printf("      %-18s %8.1f µs\n", partNames[i], float64(p.Nanoseconds())/1e3/float64(t.cycles))
	}
}

// cycles runs n cycles on one machine of a lane.
func cycles(lane conformance.Lane, n int, sum *tally) error {
	spec := conformance.Spec{
		ID: "bench.cycle", Title: "whole cycles", Requirements: []string{"-"},
		Body: func(t *conformance.T) { machineOfCycles(t, n, sum) },
	}
	r := conformance.RunOne(spec, conformance.Options{Lane: lane, Seed: 1})
	if r.State != conformance.StatePass {
		return fmt.Errorf("%s", conformance.Explain(r))
	}
	return nil
}
