package conformance

import (
	"bytes"
	"testing"

	"fleece/conformance/oracle"
)

// bytesImage is a raw image in memory.
type bytesImage struct{ *bytes.Reader }

func (b bytesImage) Size() int64  { return b.Reader.Size() }
func (b bytesImage) Close() error { return nil }
func (b bytesImage) Next(off int64) (int64, oracle.Kind, error) {
	return b.Size() - off, oracle.Data, nil
}

func TestRawIncrement_HoldsTheUnitsThatAreNotZero(t *testing.T) {
	content := make([]byte, 2*backupClusterMin+512)
	content[backupClusterMin] = 1
	r := rawIncrement{bytesImage{bytes.NewReader(content)}}
	for _, c := range []struct {
		off, length int64
		kind        oracle.Kind
	}{
		{0, backupClusterMin, oracle.Unallocated},
		{512, backupClusterMin - 512, oracle.Unallocated},
		{backupClusterMin, backupClusterMin, oracle.Data},
		{backupClusterMin + 512, backupClusterMin - 512, oracle.Data},
		{2 * backupClusterMin, 512, oracle.Unallocated},
	} {
		if length, kind, err := r.Next(c.off); length != c.length || kind != c.kind || err != nil {
			t.Errorf("at %d: %d bytes of kind %d, %v; want %d of kind %d", c.off, length, kind, err, c.length, c.kind)
		}
	}
}
