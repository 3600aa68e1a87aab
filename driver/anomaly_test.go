package driver_test

import (
	"fmt"
	"syscall"
	"testing"

	"fleece/host/memhost"
	"fleece/virt"
)

// anomaliesMax ends a loop whose operation never succeeds.
const anomaliesMax = 500

// TestBegin_LeavesNothingWhicheverCommandFails fails the first command of Begin,
// then the second, and so on until Begin succeeds.
func TestBegin_LeavesNothingWhicheverCommandFails(t *testing.T) {
	for n := 1; n <= anomaliesMax; n++ {
		succeeded := false
		inWorld(t, func(w *world) {
			w.boot()
			seen := 0
			w.onCommand = func(string) string {
				if seen++; seen == n {
					return fmt.Sprintf("anomaly %d", n)
				}
				return ""
			}
			_, err := w.begin()
			w.onCommand = nil
			if err != nil {
				w.check(isCode(err, virt.ERR_INTERNAL_ERROR, ""), "command %d: %v", n, err)
				w.afterFailure()
				return
			}
			succeeded = seen < n
			w.awaitIdle()
			_, err = w.dom.BackupEnd(0, virt.DOMAIN_BACKUP_END_ABORT)
			w.must(err)
		})
		if succeeded {
			return
		}
	}
	t.Fatal("Begin never succeeds")
}

// afterFailure asserts that a failed Begin left nothing, and that the next one
// works.
func (w *world) afterFailure() {
	w.nothingLeft("")
	ids, err := w.dom.ListJobIds(0)
	w.must(err)
	w.check(len(ids) == 0, "job ids left: %v", ids)
	_, err = w.dom.CheckpointLookupByName(virt.XML("c1"), 0)
	w.check(isCode(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1"), "checkpoint left: %v", err)
	w.check(len(w.completions()) == 0, "a failed Begin has an event")
	w.whole()
}

// whole asserts that a backup runs from Begin to End.
func (w *world) whole() {
	done := len(w.completions())
	id, err := w.begin()
	w.must(err)
	w.await("the event", func() bool { return len(w.completions()) > done })
	ret, err := w.dom.BackupEnd(id, 0)
	w.must(err)
	w.check(ret == 1, "End returned %d", ret)
	w.nothingLeft("c1", "a", "b")
}

// TestBegin_LeavesNothingWhicheverFileOperationFails does the same with each file
// operation of the driver.
func TestBegin_LeavesNothingWhicheverFileOperationFails(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		for n := 1; n <= anomaliesMax; n++ {
			succeeded := false
			inWorld(t, func(w *world) {
				w.boot()
				fault := w.failDriver(n, errno)
				id, err := w.begin()
				fired := fault() > 0
				if err != nil {
					w.check(fired, "Begin failed of itself: %v", err)
					w.afterFailure()
					return
				}
				succeeded = !fired
				w.awaitIdle()
				ret, err := w.dom.BackupEnd(id, 0)
				w.must(err)
				w.check(ret == 1, "End returned %d", ret)
			})
			if succeeded {
				break
			}
			if n == anomaliesMax {
				t.Fatal("Begin never succeeds")
			}
		}
	}
}

// failDriver makes the n-th operation on a file of the driver's own, or on a new
// target, fail; QEMU's operations count as well where they are on the target. The
// function disarms it and tells how often it fired.
func (w *world) failDriver(n int, errno syscall.Errno) func() int {
	var faults []*memhost.Armed
	for _, p := range []string{"/state/run/*", "/state/checkpoint", "/state/checkpoint/*", "/state/checkpoint/*/*"} {
		faults = append(faults, w.kernel.Fail(memhost.Fault{Path: p, Nth: n, Errno: errno}))
	}
	faults = append(faults, w.kernel.Fail(memhost.Fault{Op: memhost.OpCreate, Path: "/t/*", Nth: n, Errno: errno}))
	return func() int {
		fired := 0
		for _, f := range faults {
			fired += f.Fired()
			f.Clear()
		}
		return fired
	}
}

// TestCheckpointCreate_LeavesNothingWhateverFails fails commands and file
// operations of CheckpointCreateXML.
func TestCheckpointCreate_LeavesNothingWhateverFails(t *testing.T) {
	for n := 1; n <= anomaliesMax; n++ {
		succeeded := false
		inWorld(t, func(w *world) {
			w.boot()
			fault := w.failDriver(n, syscall.EIO)
			if n == 1 {
				w.onCommand = func(string) string { return "anomaly" }
			}
			_, err := w.dom.CreateCheckpointXML(virt.XML(checkpointXML), 0)
			fired := fault() > 0
			w.onCommand = nil
			if err == nil {
				succeeded = !fired && n > 1
				return
			}
			w.nothingLeft("")
			_, err = w.dom.CreateCheckpointXML(virt.XML(checkpointXML), 0)
			w.must(err)
			w.nothingLeft("c1")
		})
		if succeeded {
			return
		}
	}
	t.Fatal("CheckpointCreateXML never succeeds")
}

// TestEnd_IsRightWhicheverStepOfTheEndFails fails, in turn, each command and each
// file operation between the return of Begin and that of End. Whatever fails, the
// backup ends, and nothing is left in QEMU.
func TestEnd_IsRightWhicheverStepOfTheEndFails(t *testing.T) {
	for _, commands := range []bool{true, false} {
		for n := 1; n <= anomaliesMax; n++ {
			fired := false
			inWorld(t, func(w *world) { fired = w.failEnd(n, commands) })
			if !fired {
				if n < 3 {
					t.Errorf("only %d anomalies", n)
				}
				break
			}
		}
	}
}

func (w *world) failEnd(n int, commands bool) (fired bool) {
	w.boot()
	id, err := w.begin()
	w.must(err)
	seen, disarm := 0, func() int { return 0 }
	if commands {
		w.onCommand = func(string) string {
			if seen++; seen == n {
				fired = true
				return "anomaly"
			}
			return ""
		}
	} else {
		disarm = w.failDriver(n, syscall.EIO)
	}
	w.await("the event", func() bool { return len(w.completions()) > 0 })
	ret, err := w.dom.BackupEnd(id, 0)
	fired = fired || disarm() > 0
	w.onCommand = nil
	switch {
	case isCode(err, virt.ERR_SYSTEM_ERROR, "unable to save status"):
		// The job stays until it is released durably.
		ret, err = w.dom.BackupEnd(id, 0)
		w.must(err)
		w.check(ret == 1, "the second End returned %d", ret)
		w.nothingLeft("c1", "a", "b")
	case err != nil:
		w.check(fired && isCode(err, virt.ERR_OPERATION_FAILED, ""), "End: %v", err)
		w.nothingLeft("c1")
	default:
		w.check(ret == 1, "End returned %d", ret)
		w.nothingLeft("c1", "a", "b")
	}
	return fired
}
