package specs

import (
	"bytes"
	"fmt"

	. "github.com/onsi/gomega"

	"fleece/conformance"
)

// readersAtOnce is how many clients read the exports of one backup together. QEMU
// lets 100 in.
const readersAtOnce = 64

// Reads of each client: where the clock is real more of them overlap.
const (
	readsSimulated = 4
	readsReal      = 100
	readMax        = 96 << 10 // bytes of one read
)

func pullReaderSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "pull.many-readers",
			Title:        "64 clients that read at random while the guest writes see the start, every byte of it, and leave nothing behind",
			Requirements: []string{"PUL-01", "I2", "I15"},
			Body:         pullManyReaders,
		},
	}
}

func pullManyReaders(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 6)
	d.Scribble("vdb", 4)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Checkpoint: "c1"})
	p.ExpectExports()
	targets := []string{"vda", "vdb"}
	content := [][]byte{p.Content("vda"), p.Content("vdb")}
	reads := readsReal
	if t.Points() > 0 {
		reads = readsSimulated
	}
	t.Go("guest", func() {
		for range reads {
			d.Scribble("vda", 2)
			d.Scribble("vdb", 1)
		}
	})
	for i := range readersAtOnce {
		t.Go(fmt.Sprintf("reader-%d", i), func() {
			want := content[i%2]
			c := p.Open(targets[i%2])
			draw := t.Random(i)
			for range reads {
				length := 1 + draw(readMax)
				off := draw(int64(len(want)) - length)
				got := make([]byte, length)
				_, err := c.ReadAt(got, off)
				t.Expect(err).NotTo(HaveOccurred(), "read %d bytes at %d of %s", length, off, targets[i%2])
				if !bytes.Equal(got, want[off:off+length]) {
					t.ExpectSame(fmt.Sprintf("reader %d, %d bytes at %d of %s", i, length, off, targets[i%2]), got, want[off:off+length])
				}
			}
			if i%3 > 0 { // the others are cut off by End
				t.Expect(c.Disconnect()).To(Succeed())
			}
		})
	}
	t.Join()
	p.ExpectExports()
	p.EndsWith(0, 1)
}
