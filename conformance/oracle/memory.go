package oracle

// Sizes of a Memory.
const (
	slabBytes = 64 << 10
	slabsMax  = 64 // kept for the next history: 4 MiB
)

// Memory is what one history after another uses for the data of its writes, so
// that the runs of a spec need not allocate it anew. It is not safe for use by two
// histories at once.
type Memory struct {
	slabs [][]byte
	used  int    // of slabs
	rest  []byte // of the slab taken last
	buf   []byte // what images are read into
}

// Reset takes everything back. The history that used it, its writes and their data
// must not be used any more.
func (m *Memory) Reset() { m.used, m.rest = 0, nil }

// take is n bytes of undefined content.
func (m *Memory) take(n int64) []byte {
	if n > slabBytes {
		return make([]byte, n)
	}
	if int64(len(m.rest)) < n {
		m.rest = m.slab()
	}
	p := m.rest[:n:n]
	m.rest = m.rest[n:]
	return p
}

func (m *Memory) slab() []byte {
	if m.used < len(m.slabs) {
		m.used++
		return m.slabs[m.used-1]
	}
	s := make([]byte, slabBytes)
	if m.used < slabsMax {
		m.slabs = append(m.slabs, s)
		m.used++
	}
	return s
}

// buffer is n bytes to read into, until the next call.
func (m *Memory) buffer(n int64) []byte {
	if int64(cap(m.buf)) < n {
		m.buf = make([]byte, n)
	}
	return m.buf[:n]
}
