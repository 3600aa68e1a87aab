package driver_test

import (
	"testing"
	"time"

	"fleece/explore"
	"fleece/rt/simrt"
	"fleece/virt"
)

// stormSchedules is how many schedules of the storm a test run looks at.
const stormSchedules = 400

// TestStorm_OfCallsNeitherHangsNorLeavesAnything lets clients begin, end, abort,
// ask, make and delete checkpoints and destroy the domain all at once, on many
// schedules, in some of which the driver dies and another one takes over.
// Afterwards nothing may be left that nobody asked for.
func TestStorm_OfCallsNeitherHangsNorLeavesAnything(t *testing.T) {
	pool := simrt.NewPool(simrt.Coro)
	defer pool.Close()
	for seed := range uint64(stormSchedules) {
		random := explore.NewRandom()
		random.Begin(seed)
		runWorld(t, simrt.Options{Pool: pool, Chooser: random}, func(w *world) { w.storm(seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// storm is one run; what the clients do depends on the seed.
func (w *world) storm(seed uint64) {
	w.boot()
	if seed%3 == 0 {
		w.fill()
		w.hold = seed%2 == 0
	}
	clients := []func(){
		func() {
			if _, err := w.begin(); err == nil {
				_, _ = w.dom.BackupEnd(0, virt.DOMAIN_BACKUP_END_ABORT)
			}
		},
		func() {
			if id, err := w.dom.BackupBegin(nil, nil, 0); err == nil {
				_, _ = w.dom.BackupEnd(id, virt.DOMAIN_BACKUP_END_ABORT)
			}
		},
		func() { _ = w.dom.AbortJob() },
		func() {
			if c, err := w.dom.CreateCheckpointXML(virt.XML(checkpointXML), 0); err == nil {
				_, _ = c.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SIZE)
				_ = c.Delete(0)
			}
		},
		func() {
			_, _, _ = w.dom.GetJobStats(0)
			_, _ = w.dom.BackupGetXMLDesc(0, 0)
			_ = w.dom.Suspend()
			_ = w.dom.Resume()
		},
		func() {
			if seed%5 == 0 {
				_ = w.dom.Destroy()
			}
			if m := w.hv.Machine("vm"); m != nil && seed%7 == 1 {
				m.Kill()
			}
		},
	}
	if seed%4 == 3 {
		w.steps, w.killAt = 0, int(seed%101)+1
	}
	running := len(clients)
	for _, c := range clients {
		w.Spec().Go("client", func() {
			defer func() { running-- }()
			c()
		})
	}
	for running > 0 {
		w.Spec().Sleep(time.Second)
	}
	if !w.p.Alive() {
		w.killAt = 0
		w.restart()
	}
	w.calm()
}

// calm brings the domain to rest and looks for leftovers.
func (w *world) calm() {
	_, _ = w.dom.BackupEnd(0, virt.DOMAIN_BACKUP_END_ABORT)
	begun := map[int]int{}
	for _, e := range w.completions() {
		begun[e.ID()]++
		w.check(begun[e.ID()] == 1, "job %d has %d completion events", e.ID(), begun[e.ID()])
	}
	ids, err := w.dom.ListJobIds(0)
	w.must(err)
	w.check(len(ids) == 0, "jobs left: %v", ids)
	list, err := w.dom.ListAllCheckpoints(0)
	w.must(err)
	checkpoint := ""
	if len(list) > 0 {
		checkpoint = "c1"
	}
	// A push that was faster than its abort leaves its images; never one of two.
	entries, err := w.kernel.View(w.Spec()).ReadDir("/t")
	w.must(err)
	w.check(len(entries) != 1, "one of two images left: %v", entries)
	w.nothingLeft(checkpoint, entries...)
}
