package conformance

import (
	"errors"
	"syscall"

	"fleece/host"
)

// LimitState starts the driver anew over an empty state directory that holds at most
// that many bytes. It must come before the first domain, and the spec must need
// FeatureLimitedDir and FeatureKillDriver.
func (t *T) LimitState(bytes int64) {
	t.KillDriver()
	t.Keeps(t.stateDir())
	t.state = "limited-state"
	t.must(t.host.Mkdir(t.stateDir(), 0o700), "make the driver's state directory")
	t.must(t.env.Target.LimitDir(t.stateDir(), bytes), "limit the driver's state directory")
	t.startDriver()
}

// FillState takes the room of the driver's state directory but for some bytes.
func (t *T) FillState(left int64) {
	f, err := t.host.OpenFile(t.stateDir()+"/filler", host.ReadWrite|host.Create|host.Exclusive, 0o600)
	t.must(err, "make a file that fills the driver's state directory")
	p, size := make([]byte, 4096), int64(0)
	for i := range p {
		p[i] = 'x'
	}
	for ; err == nil; size += int64(len(p)) {
		_, err = f.WriteAt(p, size)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.must(err, "fill the driver's state directory")
	}
	t.must(f.Truncate(max(size-int64(len(p))-left, 0)), "leave room in the driver's state directory")
	t.must(f.Close(), "close the file that fills the driver's state directory")
}
