package state

// BlockJobKind is what a block job does.
type BlockJobKind uint8

// The kinds.
const (
	BlockPull BlockJobKind = iota
	BlockCommit
	BlockActiveCommit
	BlockCopy
)

// BlockJobPhase says how far a block job has come.
type BlockJobPhase uint8

// The phases, in order.
const (
	// BlockJobIntent: what a copy needs may exist; the job may have been started. QEMU
	// knows whether it was.
	BlockJobIntent BlockJobPhase = iota
	// BlockJobEnded: the result is known, and QEMU may have forgotten the job.
	BlockJobEnded
)

// BlockJob is a job that changes the chain of a disk.
type BlockJob struct {
	ID     string // QEMU's
	Kind   BlockJobKind
	Disk   string // target
	Top    int    // node of the highest image that a commit empties; of others the active one
	Base   int    // node of the image that stays below; 0 for none
	Phase  BlockJobPhase
	Result DiskState
	// Pivoting and Cancelling say what the job was told last.
	Pivoting, Cancelling bool
	// The new image of a copy. Made says that the file is ours to delete if the copy
	// does not start; Shallow that the images below stay the same.
	Type, Path, Format string
	Node               int
	Made, Shallow      bool
	// Closing are the nodes that are to go once the job has succeeded.
	Closing []string
}

func appendBlockJob(dst []byte, j *BlockJob) []byte {
	dst = append(dst, "\nblockjob"...)
	dst = quoted(num(quoted(dst, j.ID), int64(j.Kind)), j.Disk)
	dst = num(num(num(num(dst, int64(j.Top)), int64(j.Base)), int64(j.Phase)), int64(j.Result))
	dst = flag(flag(dst, j.Pivoting), j.Cancelling)
	dst = quoted(quoted(quoted(dst, j.Type), j.Path), j.Format)
	dst = flag(flag(num(dst, int64(j.Node)), j.Made), j.Shallow)
	dst = num(dst, int64(len(j.Closing)))
	for _, name := range j.Closing {
		dst = quoted(dst, name)
	}
	return dst
}

func (r *reader) blockJob() *BlockJob {
	j := &BlockJob{ID: r.text(), Kind: BlockJobKind(r.upTo(int(BlockCopy))), Disk: r.text()}
	j.Top, j.Base = r.count(), r.count()
	j.Phase, j.Result = BlockJobPhase(r.upTo(int(BlockJobEnded))), DiskState(r.upTo(int(DiskCancelled)))
	j.Pivoting, j.Cancelling = r.flag(), r.flag()
	j.Type, j.Path, j.Format = r.text(), r.text(), r.text()
	j.Node, j.Made, j.Shallow = r.count(), r.flag(), r.flag()
	for range r.upTo(closingMax) {
		j.Closing = append(j.Closing, r.text())
	}
	return j
}

// closingMax bounds the nodes of a chain.
const closingMax = 1024
