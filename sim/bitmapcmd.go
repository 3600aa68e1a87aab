package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"

	"fleece/qmp"
)

// bitmapCommand executes the bitmap commands: one action, committed at once.
func (m *Machine) bitmapCommand(cmd qmp.Command) (done bool, err *qmp.ReplyError) {
	switch cmd.Name {
	case "block-dirty-bitmap-add", "block-dirty-bitmap-remove", "block-dirty-bitmap-clear",
		"block-dirty-bitmap-enable", "block-dirty-bitmap-disable", "block-dirty-bitmap-merge":
	default:
		return false, nil
	}
	var a action
	if err := m.prepareBitmap(&a, cmd.Name, cmd.Args); err != nil {
		return true, err
	}
	if a.commit != nil {
		a.commit()
	}
	return true, nil
}

// prepareBitmap prepares a bitmap action. Its effect is there at once, so that
// later actions see it.
func (m *Machine) prepareBitmap(a *action, kind string, data qmp.Value) *qmp.ReplyError {
	switch kind {
	case "block-dirty-bitmap-add":
		return m.bitmapAdd(a, data)
	case "block-dirty-bitmap-remove":
		return m.bitmapRemove(a, data)
	case "block-dirty-bitmap-clear":
		return m.bitmapClear(a, data)
	case "block-dirty-bitmap-enable":
		return m.bitmapEnable(a, data)
	case "block-dirty-bitmap-disable":
		return m.bitmapDisable(a, data)
	case "block-dirty-bitmap-merge":
		return m.bitmapMerge(a, data)
	}
	if kind == "blockdev-snapshot-internal-sync" {
		if err := m.checkInternal(qmp.Command{Name: kind, Args: data}); err != nil {
			return err
		}
	}
	return qmp.Generic("The action " + kind + " is not simulated")
}

// findBitmap is the lookup of every verb but add (§3.3).
func (m *Machine) findBitmap(nodeName, name string) (*node, *bitmap, *qmp.ReplyError) {
	n := m.node(nodeName)
	if n == nil {
		return nil, nil, qmp.Generic("Node '" + nodeName + "' not found")
	}
	b := n.bitmaps.find(name)
	if b == nil {
		return n, nil, qmp.Generic("Dirty bitmap '" + name + "' not found")
	}
	return n, b, nil
}

func (m *Machine) bitmapAdd(a *action, data qmp.Value) *qmp.ReplyError {
	name := data.Get("name").S()
	if name == "" {
		return qmp.Generic("Bitmap name cannot be empty")
	}
	n, err := m.lookup(data.Get("node").S())
	if err != nil {
		return err
	}
	granularity := n.defaultGranularity()
	if v := data.Get("granularity"); v.Present() {
		g, _ := v.Uint64()
		if g < bitmapGranularityMin || bits.OnesCount64(g) != 1 {
			return qmp.Generic("Granularity must be power of 2 and at least 512")
		}
		granularity = int64(g)
	}
	persistent := data.Get("persistent").IsTrue()
	if persistent {
		if err := n.canPersist(name, granularity); err != nil {
			return err
		}
	}
	if n.bitmaps.find(name) != nil {
		return qmp.Generic("Bitmap already exists: " + name)
	}
	if len(name) > bitmapNameMax {
		return qmp.Generic("Bitmap name too long: " + name)
	}
	b := newBitmap(name, granularity, n.length())
	b.persistent, b.disabled = persistent, data.Get("disabled").IsTrue()
	n.bitmaps.insert(b)
	a.abort = func() { n.bitmaps.release(b) }
	return nil
}

// defaultGranularity is the cluster size within [4 KiB, 64 KiB] (§3.2).
func (n *node) defaultGranularity() int64 {
	const least, most = 4 << 10, 64 << 10
	if c := n.clusterSize(); c > 0 {
		return min(max(c, least), most)
	}
	return most
}

// bitmapRemove takes the bitmap out of the image at once and out of memory at
// commit; until then it is busy ({16}: a second remove fails).
func (m *Machine) bitmapRemove(a *action, data qmp.Value) *qmp.ReplyError {
	n, b, err := m.findBitmap(data.Get("node").S(), data.Get("name").S())
	if err != nil {
		return err
	}
	if err := b.check(checkRemove); err != nil {
		return err
	}
	if b.persistent {
		if img := n.image(); img != nil && n.readOnly && img.findStored(b.name) >= 0 {
			// A job's successor took the place of the one that became read-only with
			// its node. The real binary writes to the image, and fails an assertion (§11).
			return m.die("Bitmap '" + b.name + "' is readonly and cannot be modified")
		}
		if err := n.forgetStored(b.name); err != nil {
			return ioError("Failed to remove persistent bitmap", err)
		}
	}
	b.skipStore, b.busy = true, true
	a.commit = func() { n.bitmaps.release(b) }
	a.abort = func() { b.skipStore, b.busy = false, false }
	return nil
}

// undo is the abort of an action on b. A job of the same transaction with bitmap-mode
// "always", taken back before, has put its successor in the place of b, which the real
// binary then uses after it was freed (§11).
func (m *Machine) undo(b *bitmap, restore func()) func() {
	return func() {
		if b.released {
			_ = m.die("")
			return
		}
		restore()
	}
}

func (m *Machine) bitmapClear(a *action, data qmp.Value) *qmp.ReplyError {
	_, b, err := m.findBitmap(data.Get("node").S(), data.Get("name").S())
	if err != nil {
		return err
	}
	if err := b.check(checkDefault); err != nil {
		return err
	}
	old := b.bits
	b.bits = runSet{}
	a.abort = m.undo(b, func() { b.bits = old })
	return nil
}

// bitmapEnable: the abort of a failed enable disables the bitmap, as QEMU 7.2 does
// it. With a busy bitmap that silently stops an incremental chain; without any
// bitmap the real binary crashes (§11, {90}, {91}).
func (m *Machine) bitmapEnable(a *action, data qmp.Value) *qmp.ReplyError {
	_, b, err := m.findBitmap(data.Get("node").S(), data.Get("name").S())
	loses := m.opts.Version.LosesFailedEnable
	if err != nil {
		if loses {
			a.abort = func() { _ = m.die(err.Desc) }
		}
		return err
	}
	if loses || b.disabled && b.check(checkAllowRO) == nil {
		a.abort = func() { b.disabled = true }
	}
	if err := b.check(checkAllowRO); err != nil {
		return err
	}
	if !b.disabled {
		a.abort = nil
	}
	b.disabled = false
	return nil
}

func (m *Machine) bitmapDisable(a *action, data qmp.Value) *qmp.ReplyError {
	_, b, err := m.findBitmap(data.Get("node").S(), data.Get("name").S())
	if err != nil {
		return err
	}
	if err := b.check(checkAllowRO); err != nil {
		return err
	}
	was := b.disabled
	b.disabled = true
	a.abort = m.undo(b, func() { b.disabled = was })
	return nil
}

func (m *Machine) bitmapMerge(a *action, data qmp.Value) *qmp.ReplyError {
	nodeName := data.Get("node").S()
	_, target, err := m.findBitmap(nodeName, data.Get("target").S())
	if err != nil {
		return err
	}
	sources := data.Get("bitmaps").Items()
	if len(sources) == 0 {
		// The real binary dereferences a null pointer (§11, {90}).
		return m.die("Invalid parameter 'bitmaps'")
	}
	old := target.bits.clone()
	restore := func() { target.bits = old }
	for _, s := range sources {
		from, name := nodeName, s.S()
		if s.Kind() == qmp.KindDict {
			from, name = s.Get("node").S(), s.Get("name").S()
		}
		if err := m.mergeOne(target, from, name); err != nil {
			restore()
			return err
		}
	}
	a.abort = m.undo(target, restore)
	return nil
}

func (m *Machine) mergeOne(target *bitmap, nodeName, name string) *qmp.ReplyError {
	_, src, err := m.findBitmap(nodeName, name)
	if err != nil {
		return err
	}
	if err := target.check(checkDefault); err != nil {
		return err
	}
	if err := src.check(checkAllowRO); err != nil {
		return err
	}
	if src.size != target.size {
		return qmp.Generic("Bitmaps are of different sizes (destination size is " + itoa(target.size) +
			", source size is " + itoa(src.size) + ") and can't be merged")
	}
	if src != target {
		target.mergeFrom(src)
	}
	return nil
}

// sha256 is the digest of the bitmap's lowest level, as words of 64 bits in the
// host's order.
func (b *bitmap) sha256() string {
	words := max(((b.size+b.granularity()-1)>>b.shift+63)/64, 1)
	h := sha256.New()
	var word [8]byte
	for w := range words {
		v := uint64(0)
		for r, ok := b.bits.next(w * 64); ok && r.lo < w*64+64; r, ok = b.bits.next(r.hi) {
			for g := r.lo; g < min(r.hi, w*64+64); g++ {
				v |= 1 << uint(g&63)
			}
		}
		binary.LittleEndian.PutUint64(word[:], v)
		h.Write(word[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
