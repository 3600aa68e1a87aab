package driver_test

import (
	"strings"
	"testing"
	"time"

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
			{"export names", virt.XML("<domainbackup mode='pull'><disks><disk name='vda' exportname='x'/><disk name='vdb' exportname='x'/></disks></domainbackup>"), nil,
				virt.ERR_INVALID_ARG, "export name 'x' is used for disks 'vda' and 'vdb'"},
			{"TLS", virt.XML("<domainbackup mode='pull'><server name='localhost' tls='yes'/></domainbackup>"), nil,
				virt.ERR_OPERATION_INVALID, "backup TLS directory not configured"},
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

func TestEnd_FollowsTheDecisionTable(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.fill()
		w.hold = true
		id, err := w.begin()
		w.must(err)
		_, err = w.dom.BackupEnd(id, 0)
		w.check(isCode(err, virt.ERR_OPERATION_INVALID, "backup job '1' has not completed; use the abort flag to cancel it"), "running, no flag: %v", err)
		_, err = w.dom.BackupEnd(id, 2)
		w.check(isCode(err, virt.ERR_INVALID_ARG, "unsupported flags (0x2)"), "unknown flag: %v", err)
		_, err = w.dom.BackupEnd(id+1, 0)
		w.check(isCode(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id '2'"), "unknown id: %v", err)
		ret, err := w.dom.BackupEnd(id, virt.DOMAIN_BACKUP_END_ABORT)
		w.must(err)
		w.check(ret == 0, "an abort returned %d", ret)
		w.nothingLeft("c1")
		w.await("the event", func() bool { return len(w.completions()) == 1 })
		e := w.completions()[0]
		w.check(!e.Success() && e.ErrorMessage() == "Operation canceled" && e.ID() == id, "event %v", e.Params)
		kind, _, err := w.dom.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
		w.must(err)
		w.check(kind == virt.DOMAIN_JOB_CANCELLED, "completed job is %d", kind)
		_, err = w.dom.BackupEnd(0, virt.DOMAIN_BACKUP_END_ABORT)
		w.check(isCode(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id '0'"), "after the end: %v", err)
	})
}

func TestAbortJob_EndsTheBackupAndReleasesIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		err := w.dom.AbortJob()
		w.check(isCode(err, virt.ERR_OPERATION_INVALID, "no job is active on the domain"), "E177: %v", err)
		w.fill()
		w.hold = true
		_, err = w.begin()
		w.must(err)
		w.must(w.dom.AbortJob())
		ids, err := w.dom.ListJobIds(0)
		w.must(err)
		w.check(len(ids) == 0, "jobs left: %v", ids)
		w.nothingLeft("c1")
		w.must(w.dom.Destroy())
		err = w.dom.AbortJob()
		w.check(isCode(err, virt.ERR_OPERATION_INVALID, "domain is not running"), "E176: %v", err)
	})
}

func TestBegin_WaitsForTheJobLockThenGivesUp(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.fill()
		w.hold = true
		_, err := w.begin()
		w.must(err)
		before := w.Now()
		_, err = w.dom.BackupBegin(nil, nil, 0)
		w.check(isCode(err, virt.ERR_OPERATION_TIMEOUT, "Message='Timed out during operation: cannot acquire state change lock'"), "E164: %v", err)
		w.check(w.Now().Sub(before) == 30*time.Second, "it waited %v", w.Now().Sub(before))
		_, err = w.dom.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>c2</name></domaincheckpoint>"), 0)
		w.check(err == nil, "a checkpoint during a backup: %v", err)
		w.must(w.dom.Suspend())
		w.must(w.dom.Resume())
	})
}

func TestJobStats_OfARunningBackupNeverFall(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		kind, params, err := w.dom.GetJobStats(0)
		w.must(err)
		w.check(kind == virt.DOMAIN_JOB_NONE && len(params) == 0, "no job: %v %v", kind, params)
		w.fill()
		w.hold = true
		_, err = w.begin()
		w.must(err)
		var last uint64
		for range 5 {
			kind, params, err := w.dom.GetJobStats(0)
			w.must(err)
			done, _ := virt.FindParam(params, virt.DOMAIN_JOB_DISK_PROCESSED)
			now, _ := done.Value.(uint64)
			w.check(kind == virt.DOMAIN_JOB_UNBOUNDED && now >= last, "stats went from %d to %d", last, now)
			last = now
			w.Spec().Sleep(time.Second)
		}
		w.check(last > 0, "no progress at all")
		kind, _, err = w.dom.GetJobStats(virt.DOMAIN_JOB_STATS_COMPLETED)
		w.must(err)
		w.check(kind == virt.DOMAIN_JOB_NONE, "a completed job beside the running one: %v", kind)
		info, err := w.dom.GetJobInfo()
		w.must(err)
		w.check(info.Type == virt.DOMAIN_JOB_UNBOUNDED && info.FileTotal == 2*diskBytes && info.FileRemaining == info.FileTotal-info.FileProcessed, "info %+v", info)
		w.must(w.dom.AbortJob())
	})
}
