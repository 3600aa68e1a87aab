package virt_test

import (
	"fmt"
	"testing"

	"fleece/virt"
)

// heard is a driver that notes the arguments of calls about disks and the guest.
type heard struct{ args []any }

func (h *heard) DomainAbortJobFlags(_ virt.DomainID, f virt.DomainAbortJobFlags) error {
	h.args = []any{f}
	return nil
}

func (h *heard) DomainBlockJobAbort(_ virt.DomainID, disk string, f virt.DomainBlockJobAbortFlags) error {
	h.args = []any{disk, f}
	return nil
}

func (h *heard) DomainBlockJobSetSpeed(_ virt.DomainID, disk string, b uint64, f virt.DomainBlockJobSetSpeedFlags) error {
	h.args = []any{disk, b, f}
	return nil
}

func (h *heard) DomainGetBlockJobInfo(_ virt.DomainID, disk string, f virt.DomainBlockJobInfoFlags) (virt.DomainBlockJobInfo, error) {
	h.args = []any{disk, f}
	return virt.DomainBlockJobInfo{}, nil
}

func (h *heard) DomainSetBlockThreshold(_ virt.DomainID, dev string, threshold uint64, flags uint32) error {
	h.args = []any{dev, threshold, flags}
	return nil
}

func (h *heard) DomainFSFreeze(_ virt.DomainID, mountpoints []string, flags uint32) (int, error) {
	h.args = []any{mountpoints, flags}
	return 0, nil
}

func (h *heard) DomainFSThaw(_ virt.DomainID, mountpoints []string, flags uint32) (int, error) {
	h.args = []any{mountpoints, flags}
	return 0, nil
}

func TestWhatACallIsAboutReachesTheDriver(t *testing.T) {
	driver := &heard{}
	dom := connect(driver, virt.ConnOptions{}).dom
	disk := virt.XML("vda")
	for _, c := range []struct {
		call func() error
		want []any
	}{
		{func() error { return dom.AbortJobFlags(virt.DOMAIN_ABORT_JOB_POSTCOPY) }, []any{1}},
		{func() error { return dom.BlockJobAbort(disk, virt.DOMAIN_BLOCK_JOB_ABORT_PIVOT) }, []any{"vda", 2}},
		{func() error { return dom.BlockJobSetSpeed(disk, 7, 8) }, []any{"vda", 7, 8}},
		{func() error { _, err := dom.GetBlockJobInfo(disk, 5); return err }, []any{"vda", 5}},
		{func() error { return dom.SetBlockThreshold(virt.XML("vda[1]"), 1<<40, 3) }, []any{"vda[1]", 1 << 40, 3}},
		{func() error { _, err := dom.FSFreeze([]string{"/", "/home"}, 4); return err }, []any{[]string{"/", "/home"}, 4}},
		{func() error { _, err := dom.FSThaw(nil, 6); return err }, []any{[]string(nil), 6}},
	} {
		ok(t, c.call())
		if got, want := fmt.Sprint(driver.args), fmt.Sprint(c.want); got != want {
			t.Errorf("the driver heard %s, not %s", got, want)
		}
	}
}

func TestNothingToFreezeAndADiskWithoutAJobAreNoErrors(t *testing.T) {
	dom := connect(&heard{}, virt.ConnOptions{ReadOnly: false}).dom
	if n, err := dom.FSFreeze(nil, 0); n != 0 || err != nil {
		t.Errorf("freeze: %d, %v", n, err)
	}
	reader := connect(&heard{}, virt.ConnOptions{ReadOnly: true}).dom
	if info, err := reader.GetBlockJobInfo(virt.XML("vda"), 0); info != (virt.DomainBlockJobInfo{}) || err != nil {
		t.Errorf("info: %v, %v", info, err)
	}
}
