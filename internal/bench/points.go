package main

import (
	"fmt"
	"time"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"fleece/explore"
	"fleece/rt"
	"fleece/rt/simrt"
)

func beTrue() types.GomegaMatcher { return gomega.BeTrue() }

// pointsPerRun is the number of bare choice points of one measurement.
const pointsPerRun = 2_000_000

// points prints bare choice points per second by strategy and number of tasks.
func points() {
	pool := simrt.NewPool(simrt.Coro)
	defer pool.Close()
	for _, tasks := range []int{2, 8, 32} {
		for _, st := range []explore.Strategy{explore.Plain{}, explore.NewRandom()} {
			start := time.Now()
			o := explore.Run(bare(tasks), st, 1, pool)
			rate := float64(o.Points) / time.Since(start).Seconds() / 1e6
			fmt.Printf("choice points: %2d tasks, %-7s %6.1f M/s\n", tasks, st, rate)
		}
	}
}

// bare is a world of tasks that do nothing but reach choice points.
func bare(tasks int) explore.Scenario {
	return explore.Scenario{Name: "bare", World: simrt.Options{StepLimit: pointsPerRun * 2}, Main: func(w *simrt.World) {
		p := w.Spec()
		each := pointsPerRun / tasks
		for range tasks - 1 {
			p.Go("task", func() { spin(p, each) })
		}
		spin(p, each)
	}}
}

func spin(p rt.Process, n int) {
	for range n {
		rt.Point(p, "spin", "nothing")
	}
}
