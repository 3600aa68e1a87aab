package conformance

import "fleece/conformance/oracle"

// Content is every byte of a disk as a backup has it: its image, over those of the
// backups below.
func (b *Backup) Content(target string) []byte {
	img := b.flattened(target)
	defer closeQuietly(img)
	p := make([]byte, img.Size())
	for off := int64(0); off < img.Size(); {
		length, kind, err := img.Next(off)
		b.d.t.must(err, "read the image of "+target)
		length = min(length, img.Size()-off)
		if kind == oracle.Data {
			_, err := img.ReadAt(p[off:off+length], off)
			b.d.t.Expect(err).NotTo(haveOccurred(), "read the image of %s at %d", target, off)
		}
		off += length
	}
	return p
}

// Content is every byte of a disk as its export has it.
func (p *Pull) Content(target string) []byte {
	c := p.Open(target)
	content := make([]byte, c.Size())
	for off := 0; off < len(content); off += exportRead {
		_, err := c.ReadAt(content[off:min(len(content), off+exportRead)], int64(off))
		p.d.t.Expect(err).NotTo(haveOccurred(), "read the export of %s at %d", target, off)
	}
	p.d.t.Expect(c.Disconnect()).To(succeed())
	return content
}

// ExpectSame asserts that two contents of a disk are alike, and else says where
// they differ first.
func (t *T) ExpectSame(what string, a, b []byte) {
	if len(a) != len(b) {
		t.Fail("%s: %d and %d bytes", what, len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fail("%s: the bytes at offset %d differ: %#x and %#x", what, i, a[i], b[i])
		}
	}
}
