package duel

import (
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"fleece/conformance/mirror/walk"
	"fleece/host"
	"fleece/qcow2"
)

// describe tells, for each file of a session, what is in it: for qcow2 header,
// extents, content and stored bitmaps, for others size and content. Where clusters lie
// in a file is QEMU's own business.
func describe(h host.Host, s walk.Setup) map[string]string {
	all := map[string]string{}
	names, err := h.ReadDir(s.Dir)
	if err != nil {
		return map[string]string{"": err.Error()}
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sock") {
			continue // quit leaves it, and it has no content
		}
		f, err := h.OpenFile(s.Dir+"/"+name, host.ReadOnly, 0)
		if err != nil {
			all[name] = err.Error()
			continue
		}
		all[name] = describeFile(f)
		_ = f.Close()
	}
	return all
}

func describeFile(f host.File) string {
	var b strings.Builder
	size, err := f.Size()
	if err != nil {
		return err.Error()
	}
	r, err := qcow2.Open(f, size, qcow2.Options{})
	if err != nil {
		fmt.Fprintf(&b, "no qcow2 image, %d bytes\n", size)
		describeStored(&b, f, size)
		return b.String()
	}
	h := r.Header()
	fmt.Fprintf(&b, "qcow2 version %d of %d bytes, cluster %d, backing '%s' of format '%s'\n", h.Version, h.Size, h.ClusterSize(), h.BackingFile, h.BackingFormat)
	fmt.Fprintf(&b, "features %x %x %x\n", h.Incompatible, h.Compatible, h.Autoclear)
	for e, err := range r.Extents() {
		if err != nil {
			fmt.Fprintf(&b, "extents: %v\n", err)
			break
		}
		fmt.Fprintf(&b, "%d+%d %v\n", e.Offset, e.Length, e.Kind)
		if e.Kind == qcow2.Data {
			describeContent(&b, r, e.Offset, e.End())
		}
	}
	describeBitmaps(&b, r)
	return b.String()
}

// contentUnit is the range of one checksum.
const contentUnit = 64 << 10

// describeStored is describeContent of a file, whose holes are not read: one that a broken
// image made may have petabytes of them.
func describeStored(b *strings.Builder, f host.File, size int64) {
	for off := int64(0); off < size; {
		e, ok, err := f.NextData(off)
		if err != nil {
			fmt.Fprintf(b, "  %d: %v\n", off, err)
			return
		}
		if !ok {
			return
		}
		off = max(off, e.Offset&^(contentUnit-1))
		end := min(size, (e.Offset+e.Length+contentUnit-1)&^(contentUnit-1))
		describeContent(b, f, off, end)
		off = end
	}
}

func describeContent(b *strings.Builder, r io.ReaderAt, off, end int64) {
	p := make([]byte, contentUnit)
	for ; off < end; off += contentUnit {
		n := min(end-off, contentUnit)
		if _, err := r.ReadAt(p[:n], off); err != nil && err != io.EOF {
			fmt.Fprintf(b, "  %d: %v\n", off, err)
			return
		}
		sum := crc32.ChecksumIEEE(p[:n])
		if !isZero(p[:n]) {
			fmt.Fprintf(b, "  %d+%d %08x begins %x\n", off, n, sum, p[:4])
		}
	}
}

func isZero(p []byte) bool {
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}

func describeBitmaps(b *strings.Builder, r *qcow2.Reader) {
	bitmaps, err := r.Bitmaps()
	if err != nil {
		fmt.Fprintf(b, "bitmaps: %v\n", err)
		return
	}
	for _, m := range bitmaps {
		fmt.Fprintf(b, "bitmap '%s' granularity %d auto %v in use %v:", m.Name, m.Granularity, m.Auto, m.InUse)
		for d, err := range r.Dirty(m) {
			if err != nil {
				fmt.Fprintf(b, " %v", err)
				break
			}
			fmt.Fprintf(b, " %d+%d", d.Offset, d.Length)
		}
		b.WriteString("\n")
	}
}
