package sim

import (
	"bytes"
	"errors"
	"slices"
	"syscall"
	"testing"

	"fleece/host/memhost"
)

// fullTarget has a target on a file system with room for so many bytes.
func fullTarget(b *bench, room int64) {
	b.must(b.k.Mount("/small", room))
	b.must(CreateImage(b.host(), "/small/t.qcow2", disk, 0, 3))
	b.qmp(`{"execute":"blockdev-add","arguments":{"driver":"qcow2","node-name":"t","file":{"driver":"file","filename":"/small/t.qcow2"}}}`)
	b.write(0, bytes.Repeat([]byte{5}, 3<<20))
}

func backupTo(policy string) string {
	return `{"execute":"blockdev-backup","arguments":{"device":"d","target":"t","sync":"full","job-id":"j",
		"auto-dismiss":false,"on-target-error":"` + policy + `"}}`
}

func TestBackup_FailsWhileItWritesWhenTheHostIsFull(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		fullTarget(b, 1<<20)
		b.qmp(backupTo("report"))
		b.await("j concluded")
		jobs := b.qmp(`{"execute":"query-jobs"}`).Items()
		expect(t, "error", jobs[0].Get("error").S(), "No space left on device")
		if !slices.Contains(b.events, "j report") || !slices.Contains(b.events, "j No space left on device") {
			t.Errorf("events %v", b.events)
		}
	})
}

func TestBackup_ThatStoppedAtAFullHostGoesOnWhenThereIsRoom(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		fullTarget(b, 1<<20)
		b.qmp(backupTo("enospc"))
		b.await("j paused")
		b.events = nil
		b.await("j paused")
		status := b.qmp(`{"execute":"query-block-jobs"}`).Items()[0]
		expect(t, "io-status", status.Get("io-status").S(), "nospace")
		expect(t, "gentle cancel", b.try(`{"execute":"block-job-cancel","arguments":{"device":"j"}}`),
			"The block job for device 'j' is currently paused")
		b.must(b.k.SetCapacity("/small", memhost.Unlimited))
		b.qmp(`{"execute":"block-job-resume","arguments":{"device":"j"}}`)
		b.await("j concluded")
		if !bytes.Equal(b.content("t"), b.content("d")) {
			t.Error("the copy is not the disk")
		}
	})
}

func TestGuestWrite_FailsWithTheTargetsErrorWhenItsCopyFails(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		fullTarget(b, 1<<20)
		b.qmp(`{"execute":"blockdev-backup","arguments":{"device":"d","target":"t","sync":"none","job-id":"j"}}`)
		var err error
		b.in("guest", func() {
			for i := range int64(40) {
				if err = b.m.GuestWrite("disk", i<<16, []byte{1}); err != nil {
					break
				}
			}
		})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("the guest saw %v", err)
		}
		job := b.qmp(`{"execute":"query-block-jobs"}`).Items()[0]
		expect(t, "the job (§5.8)", job.Get("status").S()+" "+job.Get("io-status").S(), "running ok")
	})
}

func TestBackup_TooLongForItsSpeedStallsAfterTheFirstMiB(t *testing.T) {
	inWorld(t, disk, nil, func(b *bench) {
		b.target("t", disk)
		b.write(0, bytes.Repeat([]byte{5}, 3<<20))
		b.qmp(`{"execute":"blockdev-backup","arguments":{"device":"d","target":"t","sync":"full","job-id":"j","speed":1}}`)
		b.w.Spec().Sleep(rateSlice * 100)
		job := b.qmp(`{"execute":"query-block-jobs"}`).Items()[0]
		expect(t, "offset", job.Get("offset").String(), "1048576")
		b.qmp(`{"execute":"block-job-set-speed","arguments":{"device":"j","speed":0}}`)
		b.await("j null")
	})
}

func TestMachine_CopiesAHugeEmptyDiskForNothing(t *testing.T) {
	const huge = 16 << 40
	inWorld(t, huge, nil, func(b *bench) {
		b.target("t", huge)
		b.write(huge-512, bytes.Repeat([]byte{9}, 512))
		b.qmp(`{"execute":"blockdev-backup","arguments":{"device":"d","target":"t","sync":"full","job-id":"j"}}`)
		b.await("j null")
		b.qmp(`{"execute":"blockdev-del","arguments":{"node-name":"t"}}`)
		info, err := b.host().Stat(dir + "/t.qcow2")
		b.must(err)
		if info.Allocated > 1<<20 {
			t.Errorf("the target takes %d bytes", info.Allocated)
		}
		b.open("t")
		p := make([]byte, 1024)
		b.in("look", func() { b.must(b.m.node("t").readFull(p, huge-1024)) })
		if !bytes.Equal(p[512:], bytes.Repeat([]byte{9}, 512)) || p[0] != 0 {
			t.Error("the last sectors are wrong")
		}
	})
}
