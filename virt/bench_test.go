package virt_test

import (
	"testing"

	"fleece/virt"
)

// nothing is a driver that costs nothing.
type nothing struct{}

func (nothing) DomainBackupEnd(virt.DomainID, int, virt.DomainBackupEndFlags) (int, error) {
	return 1, nil
}

// BenchmarkACall is what the layer adds to a driver call: handle, checks, dispatch.
func BenchmarkACall(b *testing.B) {
	h := connect(nothing{}, virt.ConnOptions{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.dom.BackupEnd(1, 0); err != nil {
			b.Fatal(err)
		}
	}
}
