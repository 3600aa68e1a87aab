package qcow2_test

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"fleece/qcow2"
)

// ext is the data of the bitmaps extension in what everything is written to.
const ext = 120

func set32(at int64, v uint32) func(m *memory) {
	return func(m *memory) { binary.BigEndian.PutUint32(m.b[at:], v) }
}

func set64(at int64, v uint64) func(m *memory) {
	return func(m *memory) { m.set(at, v) }
}

// inDir sets a byte of the first entry of the bitmap directory.
func inDir(at int64, v byte) func(m *memory) {
	return func(m *memory) { m.b[partsOf(m).dir+at] = v }
}

// hostile are damages of one field each, and how they are refused.
var hostile = []struct {
	field string
	class error
	do    func(m *memory)
}{
	{"magic", qcow2.ErrFormat, set32(0, 0x51464900)},
	{"magic", qcow2.ErrFormat, func(m *memory) { m.b = m.b[:10] }},
	{"version", qcow2.ErrFormat, set32(4, 4)},
	{"version", qcow2.ErrFormat, set32(4, 1)},
	{"backing_file_offset", qcow2.ErrLimit, set64(8, 1<<63)},
	{"backing_file_offset", qcow2.ErrLimit, set64(8, 1<<17)},
	{"backing_file_size", qcow2.ErrLimit, func(m *memory) { set64(8, 4096)(m); set32(16, 1024)(m) }},
	{"cluster_bits", qcow2.ErrCorrupt, set32(20, 8)},
	{"cluster_bits", qcow2.ErrLimit, set32(20, 22)},
	{"size", qcow2.ErrLimit, set64(24, 1<<63)},
	{"size", qcow2.ErrCorrupt, set64(24, 1000)},
	{"crypt_method", qcow2.ErrUnsupported, set32(32, 2)},
	{"l1_size", qcow2.ErrLimit, set32(36, 4<<20+1)},
	{"l1_size", qcow2.ErrCorrupt, set64(24, 1<<40)},
	{"l1_table_offset", qcow2.ErrCorrupt, set64(40, 512)},
	{"l1_table_offset", qcow2.ErrCorrupt, set64(40, 1<<50)},
	{"refcount_table_offset", qcow2.ErrCorrupt, set64(48, 0)},
	{"refcount_table_clusters", qcow2.ErrLimit, set32(56, 129)},
	{"refcount_table_clusters", qcow2.ErrCorrupt, set32(56, 0)},
	{"incompatible_features", qcow2.ErrUnsupported, set64(72, 1<<40)},
	{"refcount_order", qcow2.ErrLimit, set32(96, 7)},
	{"header_length", qcow2.ErrCorrupt, set32(100, 103)},
	{"header_length", qcow2.ErrLimit, set32(100, 65537)},
	{"header extension length", qcow2.ErrLimit, set32(116, 1<<31)},
	{"bitmaps extension length", qcow2.ErrCorrupt, set32(116, 16)},
	{"nb_bitmaps", qcow2.ErrCorrupt, set32(ext, 0)},
	{"nb_bitmaps", qcow2.ErrLimit, set32(ext, 65536)},
	{"nb_bitmaps", qcow2.ErrCorrupt, set32(ext, 3)},
	{"nb_bitmaps", qcow2.ErrCorrupt, set32(ext, 5)},
	{"bitmap_directory_size", qcow2.ErrLimit, set64(ext+8, 1<<26)},
	{"bitmap_directory_size", qcow2.ErrCorrupt, set64(ext+8, 60<<20)},
	{"bitmap_directory_offset", qcow2.ErrCorrupt, set64(ext+16, 7)},
	{"bitmap_directory_size", qcow2.ErrCorrupt, set64(ext+16, 1<<50)},
	{"bitmap_table_offset", qcow2.ErrCorrupt, inDir(0, 0x80)},
	{"bitmap_table_offset", qcow2.ErrCorrupt, inDir(2, 1)},
	{"bitmap_table_size", qcow2.ErrLimit, inDir(8, 0x80)},
	{"bitmap_table_size", qcow2.ErrCorrupt, inDir(11, 2)},
	{"bitmap flags", qcow2.ErrUnsupported, inDir(15, 4)},
	{"bitmap type", qcow2.ErrUnsupported, inDir(16, 2)},
	{"granularity_bits", qcow2.ErrCorrupt, inDir(17, 8)},
	{"granularity_bits", qcow2.ErrLimit, inDir(17, 32)},
	{"name_size", qcow2.ErrCorrupt, inDir(19, 0)},
	{"name_size", qcow2.ErrLimit, inDir(18, 4)},
	{"name_size", qcow2.ErrCorrupt, inDir(18, 3)},
	{"extra_data_size", qcow2.ErrUnsupported, inDir(20, 1)},
	{"bitmap table entry", qcow2.ErrCorrupt, func(m *memory) { m.set(partsOf(m).table, 2) }},
	{"bitmap table entry", qcow2.ErrCorrupt, func(m *memory) { m.set(partsOf(m).table, 1<<50) }},
	{"L1 table entry", qcow2.ErrCorrupt, func(m *memory) { m.set(partsOf(m).l1, 1<<63|512) }},
	{"L1 table entry", qcow2.ErrCorrupt, func(m *memory) { m.set(partsOf(m).l1, 1<<63|1<<40) }},
	{"L2 table entry", qcow2.ErrCorrupt, func(m *memory) { m.set(partsOf(m).l2, 1<<63|512) }},
	{"L2 table entry", qcow2.ErrCorrupt, func(m *memory) { m.set(partsOf(m).l2, 1<<63|1<<40) }},
	{"L2 table entry", qcow2.ErrCorrupt, func(m *memory) { set32(4, 2)(m) }},
	{"L2 subcluster bitmap", qcow2.ErrCorrupt, func(m *memory) { set64(72, 1<<4)(m); m.set(partsOf(m).l2+8, 1<<32|1) }},
	{"L2 subcluster bitmap", qcow2.ErrCorrupt, func(m *memory) { set64(72, 1<<4)(m); m.set(partsOf(m).l2, 1<<62); m.set(partsOf(m).l2+8, 1) }},
	{"compressed cluster descriptor", qcow2.ErrCorrupt, func(m *memory) { m.set(partsOf(m).l2, 1<<62|1<<50) }},
	{"compressed cluster", qcow2.ErrCorrupt, func(m *memory) { m.set(partsOf(m).l2, 1<<62|64) }},
}

func TestAHostileFieldIsNamed(t *testing.T) {
	for _, c := range hostile {
		m := written(t, everything(16))
		c.do(m)
		err := exercise(m.b, 1<<30)
		var e *qcow2.Error
		if !errors.As(err, &e) || e.Field != c.field || !errors.Is(err, c.class) {
			t.Errorf("%s, %v: got %v", c.field, c.class, err)
			continue
		}
		if text := e.Error(); !strings.Contains(text, c.field) {
			t.Errorf("the text does not name %s: %s", c.field, text)
		}
	}
}

// exercise reads all of an image and returns the first error. budget bounds what
// it reads of content and dirty ranges.
func exercise(image []byte, budget int64) error {
	m := &memory{image}
	r, err := qcow2.Open(m, int64(len(image)), qcow2.Options{})
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for e, err := range r.Extents() {
		if err != nil {
			return err
		}
		for off := e.Offset; e.Kind == qcow2.Data && off < e.End() && budget > 0; off += int64(len(buf)) {
			n := min(e.End()-off, int64(len(buf)))
			if got, err := r.ReadAt(buf[:n], off); err != nil || int64(got) != n {
				return err
			}
			budget -= n
		}
	}
	bitmaps, err := r.Bitmaps()
	if err != nil {
		return err
	}
	for _, b := range bitmaps {
		for _, err := range r.Dirty(b) {
			if err != nil {
				return err
			}
			if budget -= 64; budget < 0 {
				break
			}
		}
	}
	return nil
}

func TestBitmapsWithoutTheAutoclearBitAreIgnored(t *testing.T) {
	m := written(t, everything(16))
	m.set(88, 0)
	r := opened(t, m)
	if got := gotBitmaps(t, r); len(got) != 0 || r.Header().BitmapCount != 0 {
		t.Errorf("%d bitmaps are believed", len(got))
	}
}

func TestACompressedClusterIsReadAtTheEndOfAFile(t *testing.T) {
	m := written(t, everything(16))
	p := partsOf(m)
	// A stored block of deflate: 65535 bytes, then the rest of 1 byte.
	at := int64(len(m.b))
	m.b = append(m.b, 0, 0xff, 0xff, 0, 0)
	m.b = append(m.b, pattern(9, 65535)...)
	m.b = append(m.b, 1, 1, 0, 0xfe, 0xff, 0x77)
	sectors := uint64(65535+11+511) / 512
	m.set(p.l2, 1<<62|sectors<<54|uint64(at))
	got := make([]byte, 65536)
	if _, err := opened(t, m).ReadAt(got, 0); err != nil || got[65535] != 0x77 || got[0] != pattern(9, 1)[0] {
		t.Error(err)
	}
}

func TestReadAtKeepsTheContractOfReaderAt(t *testing.T) {
	img := everything(12)
	r := opened(t, written(t, img))
	p := make([]byte, 100)
	if n, err := r.ReadAt(p, img.Size-40); n != 40 || err != io.EOF {
		t.Errorf("across the end: %d, %v", n, err)
	}
	if n, err := r.ReadAt(p, img.Size); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := r.ReadAt(p[:0], 0); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
	if _, err := r.ReadAt(p, -1); !errors.Is(err, qcow2.ErrArgument) {
		t.Errorf("before the beginning: %v", err)
	}
	if _, _, err := r.Next(img.Size); !errors.Is(err, qcow2.ErrArgument) {
		t.Errorf("extents at the end: %v", err)
	}
}

// broken fails every operation on the file after the first few.
type broken struct {
	memory
	left int
}

var errBroken = errors.New("input/output error")

func (b *broken) fails() bool { b.left--; return b.left < 0 }

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if b.fails() {
		return 0, errBroken
	}
	return b.memory.ReadAt(p, off)
}

func (b *broken) WriteAt(p []byte, off int64) (int, error) {
	if b.fails() {
		return 0, errBroken
	}
	return b.memory.WriteAt(p, off)
}

func (b *broken) Truncate(n int64) error {
	if b.fails() {
		return errBroken
	}
	return b.memory.Truncate(n)
}

func TestAFailureOfTheFileIsReportedAtEveryOperation(t *testing.T) {
	img := everything(9)
	m := written(t, img)
	for n := 0; ; n++ {
		f := &broken{left: n}
		_, err := qcow2.Write(f, img)
		if err == nil {
			if n < 5 {
				t.Errorf("written with %d operations", n)
			}
			break
		}
		if !errors.Is(err, errBroken) {
			t.Fatalf("operation %d: %v", n, err)
		}
		// The header is last: what is there is no image yet.
		if _, err := qcow2.Open(&f.memory, int64(len(f.b)), qcow2.Options{}); !errors.Is(err, qcow2.ErrFormat) {
			t.Fatalf("after %d operations the file is taken for an image: %v", n, err)
		}
	}
	for n := 0; ; n++ {
		f := &broken{memory: *m, left: n}
		_, err := qcow2.Check(f, int64(len(m.b)))
		if err == nil {
			break
		}
		if !errors.Is(err, errBroken) {
			t.Fatalf("check, operation %d: %v", n, err)
		}
	}
}
