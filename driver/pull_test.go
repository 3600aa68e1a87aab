package driver_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"fleece/host"
	"fleece/nbd"
	"fleece/virt"
)

// onSocket is a pull backup of both disks by a unix socket; %s is the root's and the
// disks' middle.
const onSocket = `<domainbackup mode='pull'>%s<server transport='unix' socket='/t/nbd'/><disks>` +
	`<disk name='vda'><scratch file='/t/a'/></disk><disk name='vdb' exportname='other'><scratch file='/t/b'/></disk></disks></domainbackup>`

func pullXML(incremental string) *string {
	if incremental != "" {
		incremental = "<incremental>" + incremental + "</incremental>"
	}
	return virt.XML(fmt.Sprintf(onSocket, incremental))
}

func (w *world) beginPull() (int, error) {
	return w.dom.BackupBegin(pullXML(""), virt.XML(checkpointXML), 0)
}

// client opens an export by the socket of onSocket, with all its contexts.
func (w *world) client(export string) *nbd.Client {
	conn, err := w.kernel.View(w.Spec()).Dial(host.Unix, "/t/nbd")
	w.must(err)
	k, err := nbd.Connect(conn)
	w.must(err)
	w.must(k.StructuredReplies())
	var names []string
	all, err := k.ListMetaContexts(export)
	w.must(err)
	for _, c := range all {
		names = append(names, c.Name)
	}
	_, err = k.SetMetaContexts(export, names...)
	w.must(err)
	_, err = k.Go(export)
	w.must(err)
	return k
}

// guestWrites fills a range of the first disk with a byte.
func (w *world) guestWrites(off int64, n int, b byte) {
	m := w.hv.Machine("vm")
	var failure error
	w.must(m.Process().Call("guest", func() {
		failure = m.Sim().GuestWrite("virtio-disk0", off, bytes.Repeat([]byte{b}, n))
	}))
	w.must(failure)
}

func TestPull_ShowsTheStartUntilItIsEnded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.guestWrites(0, 128<<10, 1)
		id, err := w.beginPull()
		w.must(err)
		w.guestWrites(64<<10, 128<<10, 2)
		k := w.client("vda")
		p := make([]byte, k.Size())
		_, err = k.ReadAt(p, 0)
		w.must(err)
		w.check(bytes.Count(p, []byte{1}) == 128<<10 && bytes.Count(p, []byte{2}) == 0, "the export is not the disk at the start")
		w.must(w.client("other").Disconnect())
		// A client that stays is cut.
		ret, err := w.dom.BackupEnd(id, 0)
		w.must(err)
		w.check(ret == 1, "End returned %d", ret)
		_, err = k.ReadAt(p[:1], 0)
		w.check(err != nil, "the export is read after End")
		w.nothingLeft("c1")
		w.check(len(w.completions()) == 0, "a pull backup has a completion event")
		_, err = w.dom.BackupEnd(id, 0)
		w.check(isCode(err, virt.ERR_NO_DOMAIN_BACKUP, ""), "the second End: %v", err)
	})
}

func TestPull_IncrementalExportsWhatIsDirty(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.guestWrites(0, 64<<10, 1)
		_, err := w.dom.CreateCheckpointXML(virt.XML(checkpointXML), 0)
		w.must(err)
		w.guestWrites(1<<20, 64<<10, 2)
		_, err = w.dom.BackupBegin(pullXML("c1"), nil, 0)
		w.must(err)
		w.guestWrites(2<<20, 64<<10, 3) // after the start: not dirty
		k := w.client("vda")
		status, err := k.BlockStatus(0, uint32(k.Size()), 0)
		w.must(err)
		w.check(len(status) == 2 && status[1].Context == "qemu:dirty-bitmap:backup-vda", "contexts %v", status)
		want := []nbd.Extent{{Offset: 0, Length: 1 << 20}, {Offset: 1 << 20, Length: 64 << 10, State: 1}, {Offset: 1<<20 + 64<<10, Length: 3<<20 - 64<<10}}
		w.check(fmt.Sprint(status[1].Extents) == fmt.Sprint(want), "dirty %v, want %v", status[1].Extents, want)
		xml, err := w.dom.BackupGetXMLDesc(0, 0)
		w.must(err)
		w.check(strings.Contains(xml, "exportname='vda' exportbitmap='backup-vda'"), "got\n%s", xml)
		_, err = w.dom.BackupEnd(0, virt.DOMAIN_BACKUP_END_ABORT)
		w.must(err)
		w.nothingLeft("c1")
	})
}

func TestPull_ChoosesAFreePortThatCanBeReadBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		_, err := w.kernel.View(w.Spec()).Listen(host.TCP, "127.0.0.1:10809")
		w.must(err)
		doc := virt.XML("<domainbackup mode='pull'><disks><disk name='vda'><scratch file='/t/a'/></disk></disks></domainbackup>")
		_, err = w.dom.BackupBegin(doc, nil, 0)
		w.must(err)
		xml, err := w.dom.BackupGetXMLDesc(0, 0)
		w.must(err)
		w.check(strings.Contains(xml, "<server transport='tcp' name='localhost' port='10810'/>"), "got\n%s", xml)
		c, err := w.kernel.View(w.Spec()).Dial(host.TCP, "127.0.0.1:10810")
		w.must(err)
		_, err = nbd.Connect(c)
		w.must(err)
		// A client in its handshake does not hang QEMU: End waits until QEMU drops it.
		ret, err := w.dom.BackupEnd(0, 0)
		w.must(err)
		w.check(ret == 1, "End returned %d", ret)
		w.nothingLeft("")
	})
}

func TestPull_TouchesNoFileAtItsSocketButADeadSocket(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		h := w.kernel.View(w.Spec())
		w.image("/t/nbd")
		_, err := w.beginPull()
		w.check(isCode(err, virt.ERR_INVALID_ARG, "'/t/nbd' for the backup socket exists and is not a socket"), "a file: %v", err)
		w.must(h.Remove("/t/nbd"))
		l, err := h.Listen(host.Unix, "/t/nbd")
		w.must(err)
		_, err = w.beginPull()
		w.check(isCode(err, virt.ERR_OPERATION_INVALID, "backup socket '/t/nbd' is in use"), "a live socket: %v", err)
		w.nothingLeft("", "nbd")
		w.must(l.Close())
		_, err = w.beginPull()
		w.must(err)
		_, err = w.dom.BackupEnd(0, 0)
		w.must(err)
		w.nothingLeft("c1")
	})
}

func TestPull_LeavesNothingWhicheverCommandOfBeginFails(t *testing.T) {
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
			_, err := w.beginPull()
			w.onCommand = nil
			if err != nil {
				w.check(isCode(err, virt.ERR_INTERNAL_ERROR, ""), "command %d: %v", n, err)
				w.afterFailure()
				return
			}
			succeeded = seen < n
			_, err = w.dom.BackupEnd(0, 0)
			w.must(err)
			w.nothingLeft("c1")
		})
		if succeeded {
			return
		}
	}
	t.Fatal("Begin never succeeds")
}

// TestPull_KilledAtAnyStepComesBackToAServedBackupOrNone kills the driver at each
// step from Begin to the end of End.
func TestPull_KilledAtAnyStepComesBackToAServedBackupOrNone(t *testing.T) {
	served, gone, points := 0, 0, 0
	for n := 1; n <= anomaliesMax; n++ {
		killed := false
		inWorld(t, func(w *world) {
			w.boot()
			w.guestWrites(0, 64<<10, 1)
			w.steps, w.killAt = 0, n
			id, err := w.beginPull()
			returned := err == nil
			if returned {
				_, _ = w.dom.BackupEnd(id, 0)
			}
			if killed = !w.p.Alive(); !killed {
				return
			}
			w.killAt = 0
			w.restart()
			ids, err := w.dom.ListJobIds(0)
			w.must(err)
			_, lookup := w.dom.CheckpointLookupByName(virt.XML("c1"), 0)
			if len(ids) == 0 {
				gone++
				checkpoint := ""
				if returned {
					checkpoint = "c1"
				}
				w.check((lookup == nil) == returned, "Begin returned: %v, the checkpoint: %v", returned, lookup)
				w.nothingLeft(checkpoint)
				return
			}
			w.must(lookup)
			if !returned {
				served++
				k := w.client("vda")
				p := make([]byte, 64<<10)
				_, err = k.ReadAt(p, 0)
				w.must(err)
				w.check(bytes.Count(p, []byte{1}) == len(p), "the export is not the disk")
			}
			ret, err := w.dom.BackupEnd(0, 0)
			w.must(err)
			w.check(ret == 1, "End returned %d", ret)
			w.nothingLeft("c1")
		})
		if !killed {
			break
		}
		points++
	}
	t.Logf("%d points of death: %d served, %d gone", points, served, gone)
	if served == 0 || gone == 0 || points == anomaliesMax {
		t.Errorf("%d points of death: %d served, %d gone", points, served, gone)
	}
}
