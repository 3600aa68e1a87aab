package driver_test

import (
	"fmt"
	"strings"
	"testing"

	"fleece/host"
	"fleece/virt"
)

// snapshotXML puts overlays into the directory of targets.
func snapshotXML(name string) *string {
	return virt.XML("<domainsnapshot><name>" + name + "</name><disks>" +
		"<disk name='vda'><source file='/t/a-" + name + "'/></disk><disk name='vdb'><source file='/t/b-" + name + "'/></disk></disks></domainsnapshot>")
}

func (w *world) snapshot(name string, checkpoint *string) error {
	_, err := w.dom.SnapshotCreateXML2(snapshotXML(name), checkpoint, virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
	return err
}

// TestSnapshot_KilledAtAnyStepIsWholeOrNothing kills the driver at each step of a
// snapshot with a checkpoint in turn, in a second round QEMU with it, and in a third
// one the next driver in the middle of its recovery.
func TestSnapshot_KilledAtAnyStepIsWholeOrNothing(t *testing.T) {
	for _, round := range []killRound{{}, {machine: true}, {again: true}, {machine: true, again: true}} {
		points := 0
		for n := 1; n <= anomaliesMax; n++ {
			killed := false
			inWorld(t, func(w *world) { killed = w.snapshotKilledAt(n, round) })
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

// snapshotKilledAt tells whether there was a step n.
func (w *world) snapshotKilledAt(n int, round killRound) bool {
	w.boot()
	w.steps, w.killAt = 0, n
	returned := w.snapshot("s1", virt.XML(checkpointXML)) == nil
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
	list, err := w.dom.ListAllSnapshots(0)
	w.must(err)
	chks, err := w.dom.ListAllCheckpoints(0)
	w.must(err)
	xml, err := w.dom.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
	w.must(err)
	entries, err := w.kernel.View(w.Spec()).ReadDir("/t")
	w.must(err)
	made := len(list) == 1
	w.check(made || !returned, "a snapshot that was made is gone")
	w.check(made == (len(entries) == 2), "%d snapshots and the files %v", len(list), entries)
	w.check(made == strings.Contains(xml, "/t/a-s1") && made == strings.Contains(xml, "/t/b-s1"), "%d snapshots and the domain\n%s", len(list), xml)
	w.check(len(chks) == 0 || made, "a checkpoint without its snapshot")
	w.check(len(chks) == 1 || !made || round.machine, "a snapshot without its checkpoint")
	if !made {
		w.nothingLeft("")
	}
	if round.machine {
		w.must(w.dom.Create())
	}
	w.must(w.snapshot("s2", virt.XML("<domaincheckpoint><name>c2</name></domaincheckpoint>")))
	_, err = w.dom.BackupBegin(virt.XML(twoTargets), nil, 0)
	w.must(err)
	w.awaitIdle()
	return true
}

// TestSnapshot_IsOfTheStoredStateOnceQEMUHasIt lets the definitions fail to be written after
// the transaction: the next driver writes them.
func TestSnapshot_IsOfTheStoredStateOnceQEMUHasIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.onCommand = func(cmd string) string {
			if cmd == "transaction" {
				w.must(w.kernel.MkdirAll("/state/config/vm.xml.new")) // stands in the way of the definition
			}
			return ""
		}
		w.must(w.snapshot("s1", nil))
		w.onCommand = nil
		text, err := host.ReadFile(w.kernel.View(w.Spec()), "/state/config/vm.xml", 1<<20)
		w.must(err)
		w.check(!strings.Contains(string(text), "/t/a-s1"), "the definition was written")
		w.must(w.kernel.View(w.Spec()).Remove("/state/config/vm.xml.new"))
		w.p.Kill()
		w.restart()
		xml, err := w.dom.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)
		w.must(err)
		w.check(strings.Contains(xml, "/t/a-s1") && strings.Contains(xml, "/t/b-s1"), "the domain is\n%s", xml)
		w.must(w.snapshot("s2", nil))
		list, err := w.dom.ListAllSnapshots(virt.DOMAIN_SNAPSHOT_LIST_LEAVES)
		w.must(err)
		name, err := list[0].GetName()
		w.must(err)
		w.check(len(list) == 1 && name == "s2", "%s", fmt.Sprint(name, len(list)))
	})
}
