package sim

import (
	"syscall"

	"fleece/qmp"
)

// loadBitmaps puts the stored bitmaps of a freshly opened qcow2 node into memory,
// in directory order, so that queries show the last entry first.
func (n *node) loadBitmaps() error {
	img := n.image()
	for i := range img.stored {
		s := &img.stored[i]
		b := &bitmap{name: s.name, shift: s.shift, size: img.size, persistent: true, readonly: n.readOnly}
		if s.flags&storedInUse != 0 {
			// Not closed cleanly: the content cannot be trusted (§3.5).
			b.inconsistent, b.disabled = true, true
		} else {
			b.disabled = s.flags&storedAuto == 0
			if err := img.bitmapContent(s, b); err != nil {
				return err
			}
		}
		n.bitmaps.insert(b)
	}
	if n.readOnly || len(img.stored) == 0 {
		return nil
	}
	return n.markInUse()
}

// markInUse flags every stored bitmap on disk before the first write.
func (n *node) markInUse() error {
	img := n.image()
	changed := false
	for i := range img.stored {
		if img.stored[i].flags&storedInUse == 0 {
			img.stored[i].flags |= storedInUse
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return img.rewriteFlags()
}

// twin is a bitmap to be stored that is in the image already and not marked as in use
// there, or nil: it took over its name from one that was stored when the node became
// read-only under a job.
func (n *node) twin() *bitmap {
	for _, s := range n.image().stored {
		b := n.bitmaps.find(s.name)
		if b != nil && s.flags&storedInUse == 0 && b.persistent && !b.inconsistent && !b.readonly && !b.skipStore {
			return b
		}
	}
	return nil
}

// storeBitmaps writes the persistent bitmaps at close. Those that are stored
// already keep their place in the directory, new ones follow, newest first; so
// the order of a query turns round once, at the first reload, and not again
// (seen with the real binary; §3.1 says otherwise).
func (n *node) storeBitmaps() error {
	img := n.image()
	if img.size == 0 {
		return nil // QEMU fails to allocate a table of no entries
	}
	if n.twin() != nil {
		return syscall.EINVAL // QEMU: "already exists in the image"; it stores none
	}
	changed := false
	var old []storedBitmap // freed when the new directory is in place
	for i := len(n.bitmaps.list) - 1; i >= 0; i-- {
		b := n.bitmaps.list[i]
		if !b.persistent || b.inconsistent || b.readonly || b.skipStore {
			continue
		}
		changed = true
		k := img.findStored(b.name)
		if k < 0 {
			img.stored = append(img.stored, storedBitmap{name: b.name})
			k = len(img.stored) - 1
		}
		s := &img.stored[k]
		old = append(old, *s)
		s.shift, s.flags = b.shift, 0
		if !b.disabled {
			s.flags = storedAuto
		}
		if err := img.storeContent(s, b); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	if err := img.writeDirectory(); err != nil {
		return err
	}
	for i := range old {
		img.dropContent(&old[i])
	}
	return nil
}

// forgetStored removes a bitmap from the image at once (§3.5).
func (n *node) forgetStored(name string) error {
	img := n.image()
	if img == nil {
		return nil
	}
	k := img.findStored(name)
	if k < 0 {
		return nil
	}
	gone := img.stored[k]
	img.stored = append(img.stored[:k:k], img.stored[k+1:]...)
	if err := img.writeDirectory(); err != nil {
		return err
	}
	img.dropContent(&gone) // after the new directory has taken its place ({13})
	return img.flush()
}

// storedInfo is the bitmaps member of the format-specific information: what is on
// disk, not what is in memory.
func (img *image) storedInfo() qmp.Value {
	if len(img.stored) == 0 {
		return qmp.Value{}
	}
	out := make([]qmp.Value, len(img.stored))
	for i := range img.stored {
		s := &img.stored[i]
		var flags []qmp.Value
		if s.flags&storedInUse != 0 {
			flags = append(flags, qmp.Str("in-use"))
		}
		if s.flags&storedAuto != 0 {
			flags = append(flags, qmp.Str("auto"))
		}
		out[i] = qmp.Dict(qmp.M("flags", qmp.List(flags...)), qmp.M("name", qmp.Str(s.name)),
			qmp.M("granularity", qmp.Int(1<<s.shift)))
	}
	return qmp.List(out...)
}

// canPersist gives the reason why a new bitmap cannot be made persistent (§3.3).
func (n *node) canPersist(name string, granularity int64) *qmp.ReplyError {
	img := n.image()
	if img == nil {
		return qmp.Generic("Can't store persistent bitmaps to " + n.name + ": Operation not supported")
	}
	if n.bitmaps.find(name) != nil {
		return qmp.Generic("Bitmap already exists: " + name)
	}
	reason := img.whyNotPersistent(n, name, granularity)
	if reason == "" {
		return nil
	}
	return qmp.Generic("Can't make bitmap '" + name + "' persistent in '" + n.name + "': " + reason)
}

func (img *image) whyNotPersistent(n *node, name string, granularity int64) string {
	stored := 0
	for _, b := range n.bitmaps.list {
		if b.persistent {
			stored++
		}
	}
	granules := (img.size + granularity - 1) / granularity
	switch {
	case img.version < 3:
		return "Cannot store dirty bitmaps in qcow2 v2 files"
	case granularity > bitmapGranularityMax:
		return "Granularity exceeds maximum (" + itoa(bitmapGranularityMax) + " bytes)"
	case (granules+7)/8 > bitmapStoredBytesMax:
		return "Too much space will be occupied by the bitmap. Use larger granularity"
	case len(name) > bitmapNameMax:
		return "Name length exceeds maximum (" + itoa(bitmapNameMax) + " characters)"
	case stored >= bitmapsStoredMax:
		return "Maximum number of persistent bitmaps is already reached"
	}
	return ""
}
