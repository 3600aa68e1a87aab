package sim

import (
	"math"

	"fleece/qmp"
)

// backupArgs are the arguments of blockdev-backup.
type backupArgs struct {
	device, target, jobID  string
	filterName             qmp.Value // absent: QEMU makes one up
	sync                   syncMode
	bitmapName, bitMode    string
	hasBitmap, hasMode     bool
	compress, autoFinalize bool
	autoDismiss            bool
	speed                  int64
	maxWorkers, maxChunk   int64
	onSource, onTarget     string
}

func parseBackup(a qmp.Value) backupArgs {
	b := backupArgs{
		device: a.Get("device").S(), target: a.Get("target").S(), jobID: a.Get("job-id").S(),
		filterName: a.Get("filter-node-name"), sync: syncMode(a.Get("sync").S()),
		compress: a.Get("compress").IsTrue(), autoFinalize: true, autoDismiss: true,
		maxWorkers: copyWorkersDefault, onSource: "report", onTarget: "report",
	}
	b.bitmapName, b.hasBitmap = a.Get("bitmap").Text()
	b.bitMode, b.hasMode = a.Get("bitmap-mode").Text()
	if v := a.Get("auto-finalize"); v.Present() {
		b.autoFinalize = v.IsTrue()
	}
	if v := a.Get("auto-dismiss"); v.Present() {
		b.autoDismiss = v.IsTrue()
	}
	b.speed, _ = a.Get("speed").Int64()
	perf := a.Get("x-perf")
	if n, ok := perf.Get("max-workers").Int64(); ok {
		b.maxWorkers = n
	}
	b.maxChunk, _ = perf.Get("max-chunk").Int64()
	if s, ok := a.Get("on-source-error").Text(); ok {
		b.onSource = s
	}
	if s, ok := a.Get("on-target-error").Text(); ok {
		b.onTarget = s
	}
	return b
}

// checkBitmap is rows 2 to 9 of §5.3; the whole matrix is in {17}.
func (a *backupArgs) checkBitmap(source *node) (*bitmap, *qmp.ReplyError) {
	if a.sync == syncBitmap || a.sync == syncIncremental {
		if !a.hasBitmap {
			return nil, qmp.Generic("must provide a valid bitmap name for '" + string(a.sync) + "' sync mode")
		}
	}
	if a.sync == syncIncremental {
		if a.hasMode && a.bitMode != "on-success" {
			return nil, qmp.Generic("Bitmap sync mode must be 'on-success' when using sync mode 'incremental'")
		}
		a.sync, a.hasMode, a.bitMode = syncBitmap, true, "on-success"
	}
	if !a.hasBitmap {
		if a.hasMode {
			return nil, qmp.Generic("Cannot specify bitmap sync mode without a bitmap")
		}
		return nil, nil
	}
	b := source.bitmaps.find(a.bitmapName)
	switch {
	case b == nil:
		return nil, qmp.Generic("Bitmap '" + a.bitmapName + "' could not be found")
	case !a.hasMode:
		return nil, qmp.Generic("Bitmap sync mode must be given when providing a bitmap")
	}
	if err := b.check(checkAllowRO); err != nil {
		return nil, err
	}
	switch {
	case a.sync == syncNone:
		return nil, qmp.Generic("sync mode 'none' does not produce meaningful bitmap outputs")
	case a.bitMode == "never" && a.sync != syncBitmap:
		return nil, qmp.Generic("Bitmap sync mode 'never' has no meaningful effect when combined with sync mode '" + string(a.sync) + "'")
	}
	return b, nil
}

// prepareBackup creates the job; nothing runs yet. The order of the checks is
// §5.3's.
func (m *Machine) prepareBackup(a backupArgs, source, target *node) (*job, *qmp.ReplyError) {
	bm, err := a.checkBitmap(source)
	if err != nil {
		return nil, err
	}
	if err := a.checkNodes(source, target); err != nil {
		return nil, err
	}
	switch {
	case a.maxWorkers < 1 || a.maxWorkers > math.MaxInt32:
		return nil, qmp.Generic("max-workers must be between 1 and 2147483647")
	case a.maxChunk < 0:
		return nil, qmp.Generic("max-chunk must be zero (which means no limit) or positive")
	}
	if bm != nil && a.bitMode != "never" {
		if err := bm.check(checkDefault); err != nil {
			return nil, err
		}
	}
	if source.length() != target.length() {
		return nil, qmp.Generic("Source and target image have different sizes")
	}
	return m.createBackup(a, source, target, bm)
}

func (a *backupArgs) checkNodes(source, target *node) *qmp.ReplyError {
	if source == target {
		return qmp.Generic("Source and target cannot be the same")
	}
	if a.compress && target.kind != "qcow2" {
		return qmp.Generic("Compression is not supported for this drive ")
	}
	if err := source.busy(); err != nil {
		return err
	}
	return target.busy()
}

// busy is the operation blocker that a job sets on its filter and on its target.
func (n *node) busy() *qmp.ReplyError {
	for _, e := range n.parents {
		if e.user != nil && e.user.job != nil {
			return busyWithJob(n, e.user.job)
		}
	}
	return nil
}

// createBackup makes successor, filter and job, in the order that decides which
// error comes first and in which order queries show the anonymous bitmaps.
func (m *Machine) createBackup(a backupArgs, source, target *node, bm *bitmap) (*job, *qmp.ReplyError) {
	if bm != nil {
		source.bitmaps.split(bm)
	}
	undo := func() {
		if bm != nil {
			source.bitmaps.reclaim(bm)
		}
	}
	filter, err := m.insertFilter(source, target, a.filterName)
	if err != nil {
		undo()
		return nil, err
	}
	c := m.newBlockCopy(filter, source, target, a)
	filter.drv.(*filterDriver).copy = c
	fail := func(err *qmp.ReplyError) (*job, *qmp.ReplyError) {
		m.removeFilter(filter)
		source.bitmaps.release(c.bits)
		undo()
		return nil, err
	}
	if a.maxChunk > 0 && a.maxChunk < c.cluster {
		return fail(qmp.Generic("Required max-chunk (" + itoa(a.maxChunk) + ") is less than backup cluster size (" + itoa(c.cluster) + ")"))
	}
	j, err := m.newJob(a.jobID, "backup")
	if err != nil {
		return fail(err)
	}
	// A filter that has a parent shares less, which its source may not have.
	j.use("main node", filter, 0, permAll)
	err = filter.conflictBelow()
	if err == nil && a.speed < 0 {
		err = qmp.Generic("Parameter 'speed' expects a non-negative value")
	}
	if err != nil {
		j.dropEdges()
		j.dismiss() // {17}: created, null
		return fail(err)
	}
	j.use("target", target, 0, permAll)
	b := &backup{
		job: j, copy: c, filter: filter, source: source, target: target, mode: a.sync,
		bitmap: bm, bitMode: a.bitMode, onSource: a.onSource, onTarget: a.onTarget,
	}
	b.setSpeed(a.speed)
	j.work, j.blockJob = b, true
	j.autoFinalize, j.autoDismiss = a.autoFinalize, a.autoDismiss
	return j, nil
}

// newBlockCopy makes the bitmaps of a filter: everything is to be copied until the
// job begins.
func (m *Machine) newBlockCopy(filter, source, target *node, a backupArgs) *blockCopy {
	cluster := max(copyClusterMin, target.clusterSize())
	length := source.length()
	c := &blockCopy{
		m: m, filter: filter, target: target, cluster: cluster, length: length,
		bits: newBitmap("", cluster, length), doneBits: newBitmap("", cluster, length),
		maxChunk: a.maxChunk, workers: int(a.maxWorkers),
	}
	if a.compress {
		c.maxChunk, c.compress = cluster, true
	}
	access := newBitmap("", cluster, length)
	c.bits.disabled, c.doneBits.disabled, access.disabled = true, true, true
	c.bits.mark(0, length)
	access.mark(0, length)
	source.bitmaps.insert(c.bits)
	filter.bitmaps.insert(c.doneBits)
	filter.bitmaps.insert(access)
	return c
}

// initBits reduces the copy bitmap to what the mode asks for, when the job begins.
func (b *backup) initBits() error {
	c := b.copy
	switch b.mode {
	case syncBitmap:
		c.bits.bits.clear()
		c.bits.mergeFrom(b.bitmap)
	case syncTop:
		return b.skipUnallocated()
	}
	return nil
}

// skipUnallocated leaves out the clusters that the top image does not have.
func (b *backup) skipUnallocated() error {
	c := b.copy
	keep := runSet{}
	for off := int64(0); off < c.length; {
		allocated, _, n, err := c.source().drv.status(off, c.length-off)
		if err != nil {
			return err
		}
		if allocated {
			keep.add(off>>c.bits.shift, (off+n-1)>>c.bits.shift+1)
		}
		off += n
	}
	c.bits.bits = keep
	return nil
}
