package driver_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/virt"
)

func TestBegin_SendsWhatLibvirtSends(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.commands = nil
		id, err := w.begin()
		w.must(err)
		w.check(id == 1, "the first id is %d", id)
		w.await("the event", func() bool { return len(w.completions()) == 1 })
		target := []string{"blockdev-add", "blockdev-create", "query-jobs", "job-dismiss", "blockdev-add"}
		end := []string{"query-jobs", "job-dismiss", "blockdev-del", "blockdev-del"}
		want := append([]string{"query-named-block-nodes"}, target...)
		want = append(append(want, target...), "transaction")
		want = append(append(want, end...), end...)
		if diff := cmp.Diff(want, w.commands); diff != "" {
			w.check(false, "%s", diff)
		}
		w.nothingLeft("c1", "a", "b")
		ret, err := w.dom.BackupEnd(id, 0)
		w.must(err)
		w.check(ret == 1, "End returned %d", ret)
		_, err = w.dom.BackupEnd(id, 0)
		w.check(isCode(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id '1'"), "second End: %v", err)
	})
}

func TestEvent_CarriesTheStatisticsInOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		_, err := w.begin()
		w.must(err)
		w.await("the event", func() bool { return len(w.completions()) == 1 })
		var names []string
		for _, p := range w.completions()[0].Params {
			names = append(names, p.Field)
		}
		want := "operation id time_elapsed disk_total disk_processed disk_remaining success"
		w.check(strings.Join(names, " ") == want, "got %v", names)
		kind, params, err := w.dom.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
		w.must(err)
		w.check(kind == virt.DOMAIN_JOB_COMPLETED && cmp.Equal(params, w.completions()[0].Params), "stats differ from the event: %v", params)
		kind, _, err = w.dom.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
		w.must(err)
		w.check(kind == virt.DOMAIN_JOB_NONE, "statistics are told twice")
	})
}

func TestBegin_WithoutDocumentsBacksUpAllDisksUnderGeneratedNames(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		id, err := w.dom.BackupBegin(nil, nil, 0)
		w.must(err)
		xml, err := w.dom.BackupGetXMLDesc(id, 0)
		w.must(err)
		w.check(strings.Contains(xml, "<target file='/i/a.9466848"), "got\n%s", xml)
		w.awaitIdle()
		ret, err := w.dom.BackupEnd(0, 0)
		w.must(err)
		w.check(ret == 1, "End returned %d", ret)
	})
}

func TestBegin_IncrementalGoesFromACheckpoint(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		_, err := w.begin()
		w.must(err)
		w.awaitIdle()
		_, err = w.dom.BackupEnd(0, 0)
		w.must(err)
		inc := strings.NewReplacer("<disks>", "<incremental>c1</incremental><disks>", "/t/", "/t/i").Replace(twoTargets)
		_, err = w.dom.BackupBegin(virt.XML(inc), virt.XML("<domaincheckpoint><name>c2</name></domaincheckpoint>"), 0)
		w.must(err)
		w.awaitIdle()
		_, err = w.dom.BackupEnd(0, 0)
		w.must(err)
		chk, err := w.dom.CheckpointLookupByName(virt.XML("c2"), 0)
		w.must(err)
		parent, err := chk.GetParent(0)
		w.must(err)
		name, _ := parent.GetName()
		w.check(name == "c1", "the parent is %s", name)
		bad := strings.ReplaceAll(inc, "c1", "c9")
		_, err = w.dom.BackupBegin(virt.XML(bad), nil, 0)
		w.check(isCode(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "Checkpoint 'c9' for incremental backup of disk 'vda' not found"), "E139: %v", err)
	})
}

func TestBegin_RefusesWithLibvirtsCodes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		dom, err := w.conn.DomainDefineXML(domainXML)
		w.must(err)
		_, err = dom.BackupBegin(nil, nil, 0)
		w.check(isCode(err, virt.ERR_OPERATION_UNSUPPORTED, "cannot perform disk backup for inactive domain"), "E119: %v", err)
		w.must(dom.Create())
		doc := func(disks string) *string {
			return virt.XML("<domainbackup><disks>" + disks + "</disks></domainbackup>")
		}
		for _, c := range []struct {
			id       string
			xml, chk *string
			code     virt.ErrorNumber
			text     string
		}{
			{"E118", doc("<disk name='vda' backup='no'/>"), nil, virt.ERR_CONFIG_UNSUPPORTED, "no disks selected for backup"},
			{"E134", doc("<disk name='vda' type='file'><driver type='iso'/></disk>"), nil, virt.ERR_CONFIG_UNSUPPORTED, "storage format 'iso' is not directly supported"},
			{"E143", doc("<disk name='vda' type='file'><target file='/none/x'/></disk>"), nil, virt.ERR_SYSTEM_ERROR, "failed to create image file '/none/x': No such file or directory"},
			{"E142", doc("<disk name='vda' type='file'><target file='/i/b'/></disk>"), nil, virt.ERR_INVALID_ARG, "store '/i/b' for backup of 'vda' exists"},
			{"E142", doc("<disk name='vda' type='file'><target file='/t/s'/></disk><disk name='vdb' type='file'><target file='/t/s'/></disk>"), nil, virt.ERR_INVALID_ARG, "store '/t/s' for backup of 'vdb' exists"},
			{"I18", virt.XML("<domainbackup><incremental>c1</incremental></domainbackup>"), virt.XML(checkpointXML), virt.ERR_CHECKPOINT_INCONSISTENT, "missing or broken bitmap 'c1' for disk 'vda'"},
			{"pull", virt.XML("<domainbackup mode='pull'/>"), nil, virt.ERR_OPERATION_UNSUPPORTED, "pull mode"},
		} {
			_, err := dom.BackupBegin(c.xml, c.chk, 0)
			w.check(isCode(err, c.code, c.text), "%s: %v", c.id, err)
		}
		_, err = dom.BackupBegin(nil, nil, virt.DOMAIN_BACKUP_BEGIN_QUIESCE)
		w.check(isCode(err, virt.ERR_ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured"), "E055: %v", err)
		_, err = dom.BackupBegin(nil, nil, 4)
		w.check(isCode(err, virt.ERR_INVALID_ARG, "unsupported flags (0x4) in function qemuBackupBegin"), "E031: %v", err)
		w.nothingLeft("")
	})
}

func TestDestroy_EndsTheBackupBeforeTheDomain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		id, err := w.begin()
		w.must(err)
		w.must(w.dom.Destroy())
		w.await("the events", func() bool {
			last, ok := w.events[len(w.events)-1].(virt.LifecycleEvent)
			return ok && last.Event == virt.DOMAIN_EVENT_STOPPED
		})
		if done := w.completions(); len(done) == 1 && !done[0].Success() {
			_, hasTotals := virt.FindParam(done[0].Params, virt.DOMAIN_JOB_DISK_TOTAL)
			w.check(done[0].ErrorMessage() == "" && !hasTotals, "got %v", done[0].Params)
			w.nothingLeft("c1")
		} else {
			w.check(len(done) == 1, "%d completion events", len(done))
		}
		_, err = w.dom.BackupEnd(id, 0)
		w.check(isCode(err, virt.ERR_NO_DOMAIN_BACKUP, ""), "End after death: %v", err)
		w.must(w.dom.Create())
		_, err = w.dom.BackupBegin(nil, nil, 0)
		w.must(err)
	})
}

func TestNoMetadata_MakesBitmapsAndRemembersNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		_, err := w.dom.BackupBegin(virt.XML(twoTargets), virt.XML(checkpointXML), virt.DOMAIN_BACKUP_BEGIN_NO_METADATA)
		w.must(err)
		w.awaitIdle()
		_, err = w.dom.CheckpointLookupByName(virt.XML("c1"), 0)
		w.check(isCode(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1"), "the checkpoint is remembered: %v", err)
		_, err = w.dom.BackupEnd(0, 0)
		w.must(err)
		_, err = w.dom.BackupBegin(nil, virt.XML(checkpointXML), 0)
		w.check(isCode(err, virt.ERR_INTERNAL_ERROR, "Bitmap already exists: c1"), "E158: %v", err)
	})
}

func TestReuseExternal_NeverDeletesTheFile(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.image("/t/mine")
		doc := virt.XML("<domainbackup><disks><disk name='vda' type='file'><target file='/t/mine'/></disk></disks></domainbackup>")
		_, err := w.dom.BackupBegin(doc, nil, virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)
		w.must(err)
		_, err = w.dom.BackupEnd(0, virt.DOMAIN_BACKUP_END_ABORT)
		w.must(err)
		w.nothingLeft("", "mine")
	})
}
