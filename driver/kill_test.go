package driver_test

import (
	"io/fs"
	"strings"
	"testing"

	"fleece/host"
	"fleece/virt"
)

// step kills the driver if its hour has come.
func (w *world) step() {
	if w.steps++; w.steps == w.killAt {
		w.p.Kill()
	}
}

// steppedHost counts the operations of the driver that change something.
type steppedHost struct {
	host.Host
	w *world
}

func (h steppedHost) OpenFile(path string, flags int, perm fs.FileMode) (host.File, error) {
	f, err := h.Host.OpenFile(path, flags, perm)
	h.w.step()
	return steppedFile{f, h.w}, err
}

func (h steppedHost) Remove(path string) error {
	err := h.Host.Remove(path)
	h.w.step()
	return err
}

func (h steppedHost) Rename(a, b string) error {
	err := h.Host.Rename(a, b)
	h.w.step()
	return err
}

func (h steppedHost) SyncDir(path string) error {
	err := h.Host.SyncDir(path)
	h.w.step()
	return err
}

type steppedFile struct {
	host.File
	w *world
}

func (f steppedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.w.step()
	return n, err
}

func (f steppedFile) Sync() error {
	err := f.File.Sync()
	f.w.step()
	return err
}

// TestDriver_KilledAtAnyStepComesBackToAWholeBackupOrNone kills the driver at each
// step of a backup in turn, in a second round QEMU with it, and in a third one the
// next driver in the middle of its recovery.
func TestDriver_KilledAtAnyStepComesBackToAWholeBackupOrNone(t *testing.T) {
	for _, round := range []killRound{{}, {machine: true}, {again: true}, {abort: true}, {abort: true, again: true}} {
		points := 0
		for n := 1; n <= anomaliesMax; n++ {
			killed := false
			inWorld(t, func(w *world) { killed = w.killedAt(n, round) })
			if !killed {
				break
			}
			points++
		}
		t.Logf("%+v: %d points", round, points)
		if points < 40 || points == anomaliesMax {
			t.Errorf("%+v: %d points of death", round, points)
		}
	}
}

type killRound struct {
	machine bool // QEMU dies too
	again   bool // the restarted driver dies as well
	abort   bool // End comes at once, with ABORT
}

// killedAt tells whether there was a step n.
func (w *world) killedAt(n int, round killRound) bool {
	w.boot()
	if round.abort {
		w.fill()
		w.hold = true
	}
	w.steps, w.killAt = 0, n
	id, err := w.begin()
	returned, ended := err == nil, false
	var flags virt.DomainBackupEndFlags
	if round.abort {
		flags = virt.DOMAIN_BACKUP_END_ABORT
	}
	if returned {
		if !round.abort {
			w.awaitEndOrDeath()
		}
		_, err = w.dom.BackupEnd(id, flags)
		ended = err == nil
	}
	if w.p.Alive() {
		return false
	}
	if round.machine {
		w.hv.Machine("vm").Kill()
	}
	w.killAt = 0
	if round.again {
		w.dieInRecovery()
	}
	w.restart()
	w.hold = false
	ids, err := w.dom.ListJobIds(0)
	w.must(err)
	if round.abort && (returned || len(ids) > 0) {
		w.afterAbort(ended)
	} else {
		w.afterRestart(returned, ended, round.machine)
	}
	return true
}

// dieInRecovery starts drivers that die at step 1, 2, 3 … of their recovery, as
// many as it takes for one to survive it.
func (w *world) dieInRecovery() {
	for n := 1; n <= anomaliesMax; n += 3 {
		w.steps, w.killAt = 0, n
		if w.tryStart() {
			w.killAt = 0
			w.p.Kill()
			return
		}
	}
	w.check(false, "recovery never ends")
}

// awaitEndOrDeath waits until the job has ended, or the driver has.
func (w *world) awaitEndOrDeath() {
	w.await("the end", func() bool {
		ids, err := w.dom.ListJobIds(0)
		return err != nil || len(ids) == 0 || ids[0].Type != virt.DOMAIN_JOB_UNBOUNDED
	})
}

// afterRestart asserts that the backup is whole or gone. What Begin returned is
// not lost, and what it did not return may only be whole.
func (w *world) afterRestart(returned, ended, machineDied bool) {
	ids, err := w.dom.ListJobIds(0)
	w.must(err)
	_, lookup := w.dom.CheckpointLookupByName(virt.XML("c1"), 0)
	switch {
	case machineDied:
		w.check(len(ids) == 0, "a job without a machine: %v", ids)
		if !returned && lookup != nil {
			w.nothingLeft("")
		}
		w.must(w.dom.Create())
	case len(ids) > 0:
		w.awaitIdle()
		ret, err := w.dom.BackupEnd(0, 0)
		w.must(err)
		w.check(ret == 1, "End returned %d", ret)
		w.nothingLeft("c1", "a", "b")
		w.must(lookup)
	case returned:
		// End was called, and the driver died in it.
		w.nothingLeft("c1", "a", "b")
		w.must(lookup)
	default:
		w.check(!ended, "a backup that ended without a beginning")
		w.check(isCode(lookup, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1"), "checkpoint left: %v", lookup)
		w.nothingLeft("")
		w.whole()
	}
}

// afterAbort asserts that a backup whose End was asked to abort it is gone, or can
// be ended once more, with files only if it was a success.
func (w *world) afterAbort(ended bool) {
	ids, err := w.dom.ListJobIds(0)
	w.must(err)
	if len(ids) == 0 {
		// Released: as a success if the job was faster than End.
		entries, err := w.kernel.View(w.Spec()).ReadDir("/t")
		w.must(err)
		w.nothingLeft("c1", entries...)
		w.check(len(entries) != 1, "one of two images left: %v", entries)
		return
	}
	w.check(!ended, "job %v came back after its end", ids)
	ret, err := w.dom.BackupEnd(0, virt.DOMAIN_BACKUP_END_ABORT)
	w.must(err)
	if ret == 1 {
		w.nothingLeft("c1", "a", "b")
		return
	}
	w.nothingLeft("c1")
}

func TestEnd_IsNotForgottenByARestart(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		id, err := w.begin()
		w.must(err)
		w.awaitIdle()
		_, err = w.dom.BackupEnd(id, 0)
		w.must(err)
		w.p.Kill()
		w.restart()
		ids, err := w.dom.ListJobIds(0)
		w.must(err)
		w.check(len(ids) == 0, "an ended job came back: %v", ids)
		next, err := w.dom.BackupBegin(nil, nil, 0)
		w.must(err)
		w.check(next == id+1, "the next id is %d", next)
	})
}

// TestEvent_ComesAfterWhatARestartedDriverKnows kills the driver while it delivers
// the completion event: the next one knows the job as done, and is silent.
func TestEvent_ComesAfterWhatARestartedDriverKnows(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		cancel, err := w.conn.RegisterEvents(func(e virt.Event) {
			if _, ok := e.(virt.JobCompletedEvent); ok {
				w.p.Kill()
			}
		})
		w.must(err)
		defer cancel()
		id, err := w.begin()
		w.must(err)
		w.await("the death", func() bool { return !w.p.Alive() })
		w.restart()
		ids, err := w.dom.ListJobIds(0)
		w.must(err)
		w.check(len(ids) == 1 && ids[0] == virt.DomainJobID{Type: virt.DOMAIN_JOB_COMPLETED, ID: id}, "jobs %v", ids)
		xml, err := w.dom.BackupGetXMLDesc(id, 0)
		w.must(err)
		w.check(strings.Contains(xml, "<target file='/t/a'/>") && strings.Contains(xml, "index='3'"), "got\n%s", xml)
		ret, err := w.dom.BackupEnd(id, 0)
		w.must(err)
		w.check(ret == 1 && len(w.completions()) == 1, "End returned %d after %d events", ret, len(w.completions()))
	})
}

// TestCheckpointCreate_KilledAtAnyStepIsWholeOrNothing kills the driver at each
// step of CheckpointCreateXML.
func TestCheckpointCreate_KilledAtAnyStepIsWholeOrNothing(t *testing.T) {
	whole, points := 0, 0
	for n := 1; n <= anomaliesMax; n++ {
		killed := false
		inWorld(t, func(w *world) {
			w.boot()
			w.steps, w.killAt = 0, n
			_, err := w.dom.CreateCheckpointXML(virt.XML(checkpointXML), 0)
			if killed = !w.p.Alive(); !killed {
				return
			}
			w.killAt = 0
			w.restart()
			_, lookup := w.dom.CheckpointLookupByName(virt.XML("c1"), 0)
			if lookup == nil {
				whole++
				w.nothingLeft("c1")
				return
			}
			w.check(err != nil, "a checkpoint that was made is gone")
			w.nothingLeft("")
		})
		if !killed {
			break
		}
		points++
	}
	if whole == 0 || whole == points {
		t.Errorf("%d of %d deaths left a checkpoint", whole, points)
	}
}
