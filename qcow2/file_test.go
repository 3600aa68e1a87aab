package qcow2_test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"fleece/qcow2"
)

// memory is a File in memory, as sparse as an image of a test.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	return copy(m.b[off:off+int64(len(p))], p), nil
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) Truncate(size int64) error {
	if size == 0 {
		m.b = m.b[:0]
	}
	for int64(len(m.b)) < size {
		m.b = append(m.b, make([]byte, size-int64(len(m.b)))...)
	}
	m.b = m.b[:size]
	return nil
}

// written writes img into memory.
func written(t tb, img *qcow2.Image) *memory {
	t.Helper()
	m := new(memory)
	size, err := qcow2.Write(m, img)
	if err != nil {
		t.Fatal(err)
	}
	if size != int64(len(m.b)) {
		t.Fatalf("Write says %d bytes, the file has %d", size, len(m.b))
	}
	return m
}

func opened(t tb, m *memory) *qcow2.Reader {
	t.Helper()
	r, err := qcow2.Open(m, int64(len(m.b)), qcow2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stored puts the bytes into a file, for tools.
func stored(t testing.TB, m *memory, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, m.b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pattern is content that does not repeat, the same for a seed.
func pattern(seed uint64, n int64) []byte {
	p := make([]byte, n)
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}

// dull is a pattern that deflates well, and repeats itself at every distance up to 40
// KiB.
func dull(seed uint64, n int64) []byte {
	p := pattern(seed, n)
	rng := rand.New(rand.NewPCG(seed, 2))
	for at := 64; at < len(p); {
		from := max(0, at-1-rng.IntN(40<<10))
		at += copy(p[at:min(at+1+rng.IntN(400), len(p))], p[from:at])
	}
	return p
}

// tb is what helpers need of *testing.T, *testing.B, *testing.F and *rapid.T.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
