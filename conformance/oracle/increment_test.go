package oracle

import "testing"

func TestIncremental_OverTheBackupBeforeItIsTheDisk(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	first, kept := wrote(d, 0, 1024), wrote(d, 640<<10, 512)
	full := newImage(d.Size).apply(first, kept)
	n := instant(h)
	second := wrote(d, 512, 512)
	at := instant(h)
	incr := newImage(d.Size).apply(first, second)
	accepts(t, h, at, image(d, Overlay(incr, full)))
	refuses(t, h, at, image(d, Overlay(newImage(d.Size), full)), 512, "which write 3 had replaced")
	alone := Evidence{Images: []DiskImage{{Disk: d, Image: incr, OnlyAllocated: true, Sparse: memBlock, Since: n}}}
	accepts(t, h, at, alone)
	incr.apply(kept)
	refuses(t, h, at, alone, 640<<10, "holds too much")
}

func TestIncremental_HoldsEverythingWrittenSinceTheCheckpoint(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	older := wrote(d, 0, 512)
	since := h.Begin()
	atTheCheckpoint := wrote(d, memBlock, 512)
	since.Returned()
	replaced, last := wrote(d, 2*memBlock+1024, 512), wrote(d, 2*memBlock, 4096)
	far := wrote(d, 8*memBlock, 1024)
	at := h.Begin()
	racing := wrote(d, 5*memBlock, 512)
	at.Returned()
	after := wrote(d, 11*memBlock, 512)

	increment := func(writes ...*Write) Evidence {
		img := newImage(d.Size).apply(writes...)
		return Evidence{Images: []DiskImage{{Disk: d, Image: img, OnlyAllocated: true, Since: since, Sparse: memBlock}}}
	}
	accepts(t, h, at, increment(replaced, last, far))
	accepts(t, h, at, increment(replaced, last, far, racing))
	accepts(t, h, at, increment(atTheCheckpoint, replaced, last, far))
	refuses(t, h, at, increment(replaced, last), 8*memBlock, "does not hold what write 5 wrote since")
	refuses(t, h, at, increment(far), 2*memBlock+1024, "does not hold what write 3 wrote since")
	refuses(t, h, at, increment(older, replaced, last, far), 0, "holds too much")
	refuses(t, h, at, increment(replaced, far), 2*memBlock, "lacks write 4")
	refuses(t, h, at, increment(replaced, last, far, after), 11*memBlock, "holds too much")
	loose := increment(replaced, last, far, after)
	loose.Images[0].Sparse = 0
	refuses(t, h, at, loose, 11*memBlock, "issued after the call had returned")

	// What was dirtied only later is not held, not even as it was before (I6).
	early := increment(replaced, last, far)
	early.Images[0].Image.(*memImage).put(make([]byte, 512), 11*memBlock)
	refuses(t, h, at, early, 11*memBlock, "holds too much")

	// A cluster that reads as zero is held, and wrong.
	zero := increment(replaced, last, far)
	zero.Images[0].Image.(*memImage).blocks[8] = nil
	refuses(t, h, at, zero, 8*memBlock, "lacks write 5")

	// Two disks share the instant here too: what one lacks the other may not have.
	e := h.AddDisk("vdb", 1<<20)
	at = h.Begin()
	first := wrote(d, 13*memBlock, 512)
	second := wrote(e, 0, 512)
	at.Returned()
	pair := increment(replaced, last, far, racing, after)
	pair.Images = append(pair.Images, DiskImage{Disk: e, Image: newImage(e.Size).apply(second), OnlyAllocated: true, Since: since})
	refuses(t, h, at, pair, 0, "a later write is there and an earlier one is not")
	pair.Images[0].Image.(*memImage).apply(first)
	accepts(t, h, at, pair)
}

func TestIncremental_AChainWithoutOneOfItsLinksIsRefused(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	first := wrote(d, 0, 1024)
	full := newImage(d.Size).apply(first)
	instant(h)
	second := wrote(d, 3*memBlock, 512)
	one := newImage(d.Size).apply(second)
	instant(h)
	third := wrote(d, 512, 512)
	at := instant(h)
	two := newImage(d.Size).apply(first, third)
	accepts(t, h, at, image(d, Overlay(two, Overlay(one, full))))
	refuses(t, h, at, image(d, Overlay(two, full)), 3*memBlock, "lacks write 2")
	refuses(t, h, at, image(d, Overlay(one, full)), 512, "which write 3 had replaced")
	refuses(t, h, at, image(d, Overlay(Overlay(one, full), two)), 512, "which write 3 had replaced")
}

func TestRawIncremental_MeansSomethingOnlyWhereItCovers(t *testing.T) {
	h := New()
	d := h.AddDisk("vda", 1<<20)
	first, second := wrote(d, 0, 512), wrote(d, 256<<10, 512)
	at := instant(h)
	covered := []Range{{256 << 10, memBlock}}
	img := newImage(d.Size).apply(second)
	e := Evidence{Images: []DiskImage{{Disk: d, Image: img, Covered: covered}}}
	accepts(t, h, at, e)
	img.apply(first)
	refuses(t, h, at, e, 0, "I8")
	e.Images[0].OnlyAllocated = true // a reused file
	accepts(t, h, at, e)
	e.Images[0].Image = newImage(d.Size).apply(first)
	accepts(t, h, at, e)
	e.Images[0].OnlyAllocated = false
	e.Images[0].Covered = nil
	refuses(t, h, at, e, 256<<10, "lacks write 2")
}
