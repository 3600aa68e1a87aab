package conformance

import "fleece/host"

// deviceMaker is a target that can make block devices (FeatureBlockDevice).
type deviceMaker interface {
	// BlockDevice makes a device of that many bytes, all zero, which lasts as long
	// as the run. Where it has no name of its own it gets the given path.
	BlockDevice(path string, bytes int64) (string, error)
}

// BlockDevice makes a block device of the host, full of what somebody else left
// there, and returns its path. The spec must need FeatureBlockDevice.
func (t *T) BlockDevice(name string, bytes int64) string {
	maker, ok := t.env.Target.(deviceMaker)
	if !ok {
		t.Broken("the lane's target makes no block devices")
	}
	path, err := maker.BlockDevice(t.Path(name), bytes)
	t.must(err, "make block device "+name)
	t.Keeps(path)
	f, err := t.host.OpenFile(path, host.ReadWrite, 0)
	t.must(err, "open "+path)
	litter := make([]byte, 4096)
	for i := range litter {
		litter[i] = byte('A' + i%26)
	}
	for off := int64(0); off+4096 <= bytes; off += 128 << 10 {
		_, err = f.WriteAt(litter, off)
		t.must(err, "litter "+path)
	}
	t.must(f.Close(), "close "+path)
	return path
}

// readBreaker is a target that can make a file unreadable (FeatureReadErrors).
type readBreaker interface {
	// FailReads makes every read of the file fail with EIO until heal is called.
	FailReads(path string) (heal func())
}

// FailReads makes the content of a disk unreadable for everybody until heal is called:
// EIO. The spec must need FeatureReadErrors.
func (d *Domain) FailReads(target string) (heal func()) {
	breaker, ok := d.t.env.Target.(readBreaker)
	if !ok {
		d.t.Broken("the lane's target cannot make a disk unreadable")
	}
	k := d.disk(target)
	if k.data != "" {
		return breaker.FailReads(k.data)
	}
	return breaker.FailReads(k.Path)
}
