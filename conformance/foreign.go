package conformance

import (
	"fmt"

	"fleece/qmp"
)

// ForeignJob is a block job that the harness started on its own monitor, of which
// the driver was told nothing.
type ForeignJob struct {
	d     *Domain
	id    string
	nodes []string // of its target, format first
}

// foreignSpeed is one byte per second: the job stalls after its first MiB.
const foreignSpeed = 1

// StartForeignBackup starts a backup of a disk on the harness's own monitor, which
// stalls after its first MiB. The image is a file of the run.
func (d *Domain) StartForeignBackup(target string) *ForeignJob {
	return d.startForeign("blockdev-backup", target, qmp.M("sync", qmp.Str("full")))
}

// StartForeignIncrement does the same with what a bitmap of the disk's image says is
// dirty: QEMU keeps the bitmap busy meanwhile.
func (d *Domain) StartForeignIncrement(target, bitmap string) *ForeignJob {
	return d.startForeign("blockdev-backup", target, qmp.M("sync", qmp.Str("incremental")), qmp.M("bitmap", qmp.Str(bitmap)))
}

// StartForeignMirror does the same with a mirror.
func (d *Domain) StartForeignMirror(target string) *ForeignJob {
	return d.startForeign("blockdev-mirror", target, qmp.M("sync", qmp.Str("full")))
}

func (d *Domain) startForeign(command, target string, sync ...qmp.Member) *ForeignJob {
	k := d.disk(target)
	path := d.t.Path("foreign-" + target)
	d.t.must(d.t.createImage(path, k.Size, backupClusterMin), "make the image of a foreign job")
	d.t.Keeps(path)
	j := &ForeignJob{d: d, id: "foreign-" + target, nodes: []string{"foreign-format-" + target, "foreign-file-" + target}}
	source := d.FormatNode(target) // asked first: a QEMU's monitor has one client at a time
	d.t.second(d.Name, func(m *qmp.Monitor) {
		d.t.query(m, qmp.Command{Name: "blockdev-add", Args: qmp.Dict(qmp.M("driver", qmp.Str("file")),
			qmp.M("node-name", qmp.Str(j.nodes[1])), qmp.M("filename", qmp.Str(path)))})
		d.t.query(m, qmp.Command{Name: "blockdev-add", Args: qmp.Dict(qmp.M("driver", qmp.Str("qcow2")),
			qmp.M("node-name", qmp.Str(j.nodes[0])), qmp.M("file", qmp.Str(j.nodes[1])), qmp.M("backing", qmp.Null()))})
		d.t.query(m, qmp.Command{Name: command, Args: qmp.Dict(append([]qmp.Member{qmp.M("job-id", qmp.Str(j.id)),
			qmp.M("device", qmp.Str(source)), qmp.M("target", qmp.Str(j.nodes[0])), qmp.M("speed", qmp.Int(foreignSpeed))}, sync...)...)})
	})
	return j
}

// End cancels the job and closes its image.
func (j *ForeignJob) End() {
	t := j.d.t
	t.second(j.d.Name, func(m *qmp.Monitor) {
		t.query(m, qmp.Command{Name: "block-job-cancel", Args: qmp.Dict(qmp.M("device", qmp.Str(j.id)), qmp.M("force", qmp.Bool(true)))})
		t.Poll("the foreign job to end", endedPoll, func() bool {
			return !contains(namesOf(t.query(m, qmp.Command{Name: "query-block-jobs"}).Items(), "device"), j.id)
		})
		for _, node := range j.nodes {
			t.query(m, qmp.Command{Name: "blockdev-del", Args: qmp.Dict(qmp.M("node-name", qmp.Str(node)))})
		}
	})
}

// FormatNode is the name of the node that understands a disk's format.
func (d *Domain) FormatNode(target string) string {
	k := d.disk(target)
	return d.NodeOf(k.Path, k.Format)
}

// NodeOf is the name of the node of that driver over a file, as QEMU tells.
func (d *Domain) NodeOf(path, driver string) string {
	for _, n := range d.t.nodes(d.Name) {
		if n.Get("drv").S() == driver && n.Get("file").S() == path {
			return n.Get("node-name").S()
		}
	}
	d.t.Broken("QEMU has no node of driver %s over %s", driver, path)
	return ""
}

// OnMonitor runs a command on the harness's own monitor and returns the text of its
// error, "" if it succeeded.
func (d *Domain) OnMonitor(command string, args ...qmp.Member) string {
	text := ""
	d.t.second(d.Name, func(m *qmp.Monitor) {
		if _, err := m.Run(qmp.Command{Name: command, Args: qmp.Dict(args...)}); err != nil {
			text = fmt.Sprint(err)
		}
	})
	return text
}
