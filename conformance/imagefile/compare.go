package imagefile

import (
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"fleece/conformance/oracle"
)

const (
	// compareRangeMin is the least that a worker compares at a time, in bytes, and
	// compareRangesMax how many such pieces there are.
	compareRangeMin  = 16 << 20
	compareRangesMax = 4096
	// compareWorkersMax bounds the workers, each of which has the images open.
	compareWorkersMax = 8
)

// Compare is oracle.Compare of two files, on all processors. Formats are as in Open.
func Compare(paths, formats [2]string) (*oracle.Difference, error) {
	a, b, err := openPair(paths, formats)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	defer b.Close()
	if a.Size() != b.Size() {
		return oracle.Compare(a, b)
	}
	w := &work{size: a.Size(), step: max(compareRangeMin, a.Size()/compareRangesMax), results: make(map[int64]result)}
	w.found.Store(math.MaxInt64)
	ranges := int((w.size + w.step - 1) / w.step)
	var wg sync.WaitGroup
	for range min(ranges, runtime.GOMAXPROCS(0), compareWorkersMax) - 1 {
		wg.Go(func() { w.runAlone(paths, formats) })
	}
	w.run(a, b)
	wg.Wait()
	r := w.results[w.found.Load()]
	return r.difference, r.err
}

func openPair(paths, formats [2]string) (a, b *Image, err error) {
	if a, err = Open(paths[0], formats[0]); err != nil {
		return nil, nil, err
	}
	if b, err = Open(paths[1], formats[1]); err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	return a, b, nil
}

// work is what the workers share.
type work struct {
	size  int64
	step  int64        // what a worker compares at a time
	next  atomic.Int64 // the first byte that no worker has
	found atomic.Int64 // start of the first range with a result

	mu      sync.Mutex
	results map[int64]result // by start of the range
}

// result is what ends a comparison.
type result struct {
	difference *oracle.Difference
	err        error
}

// runAlone is run for a worker that opens the images itself.
func (w *work) runAlone(paths, formats [2]string) {
	a, b, err := openPair(paths, formats)
	if err != nil {
		w.note(w.next.Add(w.step)-w.step, result{err: err})
		return
	}
	defer a.Close()
	defer b.Close()
	w.run(a, b)
}

// run compares range after range, up to the first one with a result.
func (w *work) run(a, b oracle.Image) {
	for {
		off := w.next.Add(w.step) - w.step
		if off >= w.size || off > w.found.Load() {
			return
		}
		if d, err := oracle.CompareRange(a, b, off, min(off+w.step, w.size)); d != nil || err != nil {
			w.note(off, result{d, err})
			return
		}
	}
}

func (w *work) note(off int64, r result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.results[off] = r
	if off < w.found.Load() {
		w.found.Store(off)
	}
}
