package walk

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"fleece/qmp"
)

// stalled is a speed that lets a job copy its first 1 MiB and no more within the time
// of a session; other limits would make the outcome a matter of time.
const stalled = 1

func (w *Walker) backupArgs() qmp.Value {
	source := w.disk()
	for i := 0; i < disks && w.readsPlain(source); i++ {
		source = fmt.Sprintf("d%d", i) // where a plain file has holes after zeroes were written is the host's file system's
	}
	if w.readsPlain(source) {
		source = unknown
	}
	sync := one(w.d, "full", "full", "none", "top", "incremental", "incremental", "bitmap")
	var bitmap, mode qmp.Member
	if n := w.v.find(source); sync == "incremental" || sync == "bitmap" || w.d.In(10) {
		name := w.bitmapName()
		if n != nil && len(n.bitmaps) > 0 && !w.d.In(20) {
			name = one(w.d, n.bitmaps...).name
		}
		bitmap = w.maybe(1, text("bitmap", name))
		if sync == "bitmap" || w.d.In(12) {
			mode = text("bitmap-mode", one(w.d, "on-success", "never", "always"))
		}
		if w.d.In(25) {
			bitmap = qmp.Member{}
		}
	}
	target := w.target(source)
	speed := w.maybe(2, number("speed", one(w.d, int64(stalled), stalled, stalled, 0, -1)))
	if speed.Value.String() == fmt.Sprint(stalled) && w.readsMixed(source) {
		speed = qmp.Member{} // how much of it lies in one piece would show
	}
	w.mix(target)
	compress := qmp.Member{}
	policies := []string{"report", "stop", "ignore", "enospc"}
	t := w.v.find(target)
	if t != nil && len(t.bitmaps) > 0 {
		policies = []string{"report", "stop", "enospc"} // if they are read-only no write succeeds, and ignore tries again for ever
	}
	if t != nil && t.driver != "qcow2" {
		compress = w.maybe(10, flag("compress", true)) // what zlib makes of data is not compared
	}
	return qmp.Dict(text("device", source), text("target", target), text("job-id", w.freeJob()), text("sync", sync), bitmap, mode,
		speed,
		w.maybe(3, flag("auto-dismiss", w.d.In(4))), w.maybe(4, flag("auto-finalize", w.d.In(4))),
		w.maybe(4, text("filter-node-name", w.freeNode())), compress,
		w.maybe(8, text("on-target-error", one(w.d, policies...))),
		w.maybe(25, qmp.M("x-perf", qmp.Dict(
			w.maybe(2, number("max-workers", one(w.d, int64(1), 4, 0))), w.maybe(2, number("max-chunk", one(w.d, int64(65536), 1<<20, 4096, -1))))))) // QEMU's default for the rest
}

// readsPlain reports whether a plain file is read through a node.
func (w *Walker) readsPlain(name string) bool {
	n := w.v.find(name)
	return n != nil && slices.ContainsFunc(w.v.chain(n), func(file string) bool {
		return slices.ContainsFunc(w.v.nodes, func(x nodeView) bool { return x.driver == "raw" && x.file == file })
	})
}

// mix notes that a backup writes to a node: it copies several pieces at a time, and which
// is put where in an image depends on which is first.
func (w *Walker) mix(name string) {
	if n := w.v.find(name); n != nil {
		if w.mixed == nil {
			w.mixed = map[string]bool{}
		}
		w.mixed[n.file] = true
	}
}

// readsMixed reports whether such an image is read through a node.
func (w *Walker) readsMixed(name string) bool {
	n := w.v.find(name)
	return n != nil && slices.ContainsFunc(w.v.chain(n), func(file string) bool { return w.mixed[file] })
}

// target is a node of the source's size, mostly.
func (w *Walker) target(source string) string {
	n := w.v.find(source)
	if n == nil || w.d.In(15) {
		name := w.node()
		if t := w.v.find(name); t != nil && t.driver == "file" && w.formatted[filepath.Base(t.file)] {
			return unknown // it would be written into an image
		}
		return name
	}
	var fit []string
	for i := range w.v.nodes {
		t := &w.v.nodes[i]
		if t.name != source && t.size == n.size && !t.generated() && t.driver != "file" && !strings.HasPrefix(t.name, "d") {
			fit = append(fit, t.name)
		}
	}
	if len(fit) == 0 {
		return w.node("qcow2", "raw")
	}
	return one(w.d, fit...)
}

func (w *Walker) backup() Step {
	return Step{Command: qmp.Command{Name: "blockdev-backup", Args: w.backupArgs()}}
}

// jobVerb is one of the verbs of either family; those that end jobs are more likely.
func (w *Walker) jobVerb() Step {
	id := w.job()
	verb := one(w.d, "cancel", "cancel", "pause", "resume", "finalize", "dismiss", "dismiss", "set-speed", "complete")
	for _, j := range w.v.jobs {
		if j.id == id && !w.d.In(4) {
			switch j.status {
			case "concluded":
				verb = "dismiss"
			case "pending":
				verb = one(w.d, "finalize", "cancel")
			case "paused":
				verb = one(w.d, "resume", "cancel", "set-speed")
			}
		}
	}
	if verb == "set-speed" {
		return command("block-job-set-speed", text("device", id), number("speed", one(w.d, int64(0), 0, stalled, -1)))
	}
	if w.d.In(2) {
		return command("job-"+verb, text("id", id))
	}
	name := "device"
	if verb == "finalize" || verb == "dismiss" {
		name = "id"
	}
	force := qmp.Member{}
	if verb == "cancel" {
		force = w.maybe(2, flag("force", w.d.In(2)))
	}
	return command("block-job-"+verb, text(name, id), force)
}
