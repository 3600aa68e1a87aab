package driver

import (
	"strings"
	"testing"

	"fleece/driver/domaindef"
	"fleece/virt"
)

func TestBlockJobsAreRefusedOnDisksThatCannotHaveThem(t *testing.T) { // E130 to E132
	for _, c := range []struct {
		disk domaindef.Disk
		text string // "" if a block job is fine
	}{
		{domaindef.Disk{Target: "vda", Bus: "virtio"}, ""},
		{domaindef.Disk{Target: "sda", Bus: "sd"}, "block jobs are not supported on disk 'sda' using bus 'sd'"},
		{domaindef.Disk{Target: "vda", Bus: "virtio", Transient: true}, "block jobs are not supported on transient disk 'vda'"},
		{domaindef.Disk{Target: "vda", Bus: "virtio", VHostUser: true}, "block jobs are not supported on vhostuser disk 'vda'"},
	} {
		err := blockJobsSupported(&c.disk)
		switch {
		case c.text == "" && err != nil:
			t.Errorf("%+v is refused: %v", c.disk, err)
		case c.text == "":
		case err == nil || !strings.Contains(err.Error(), c.text):
			t.Errorf("%+v: %v, want %s", c.disk, err, c.text)
		default:
			if e, ok := err.(*virt.Error); !ok || e.Code != virt.ERR_OPERATION_UNSUPPORTED {
				t.Errorf("%+v: %v is not code 84", c.disk, err)
			}
		}
	}
}
