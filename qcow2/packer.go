package qcow2

import (
	"bytes"
	"compress/flate"
)

// packer compresses clusters for the writer and remembers where their streams go:
// one behind the other, each from a sector on, in host clusters that hold nothing
// else.
type packer struct {
	out     bytes.Buffer
	flate   *flate.Writer
	cluster []byte   // one that a run fills in part
	streams []stored // of the clusters of compressed runs, in order
	next    int      // the stream that is asked for next
}

// stored is where a stream lies in out; length 0 is a cluster that does not become
// smaller, which is stored as it is.
type stored struct{ offset, length int64 }

// windowBytes is how far back a stream may refer: QEMU inflates with a window of 4
// KiB. A writer has a larger one, so each piece of this size has a fresh one.
const windowBytes = 4 << 10

// pack compresses the runs that want it.
func (p *packer) pack(img *Image) error {
	p.out.Reset()
	p.streams = p.streams[:0]
	size := int64(1) << img.clusterBits()
	for i := range img.Runs {
		r := &img.Runs[i]
		for off := int64(0); r.Compressed && off < r.Length; off += size {
			if err := p.add(r.Data[min(off, int64(len(r.Data))):], size); err != nil {
				return err
			}
		}
	}
	p.rewind()
	return nil
}

func (p *packer) rewind() { p.next = 0 }

// take is the stream of the next cluster of a compressed run.
func (p *packer) take() stored {
	s := p.streams[p.next]
	p.next++
	return s
}

// add packs the cluster that begins data; what data is short of is zero.
func (p *packer) add(data []byte, size int64) error {
	data = data[:min(int64(len(data)), size)]
	if int64(len(data)) < size {
		p.cluster = grow(p.cluster, size)
		clear(p.cluster[copy(p.cluster, data):])
		data = p.cluster
	}
	at := int64(p.out.Len())
	if err := p.deflate(data); err != nil {
		return err
	}
	length := int64(p.out.Len()) - at
	if length >= size {
		p.out.Truncate(int(at))
		p.streams = append(p.streams, stored{})
		return nil
	}
	p.streams = append(p.streams, stored{at, length})
	p.out.Write(zeros[:-p.out.Len()&(SectorSize-1)])
	return nil
}

// deflate appends one stream, whose blocks do not refer to each other.
func (p *packer) deflate(data []byte) error {
	for len(data) > 0 {
		if p.flate == nil {
			f, err := flate.NewWriter(&p.out, flate.DefaultCompression)
			if err != nil {
				return err
			}
			p.flate = f
		}
		p.flate.Reset(&p.out)
		piece := data[:min(len(data), windowBytes)]
		data = data[len(piece):]
		if _, err := p.flate.Write(piece); err != nil {
			return err
		}
		end := p.flate.Flush
		if len(data) == 0 {
			end = p.flate.Close
		}
		if err := end(); err != nil {
			return err
		}
	}
	return nil
}

// plain counts the clusters of compressed runs that are stored as they are.
func (p *packer) plain() (n int64) {
	for _, s := range p.streams {
		if s.length == 0 {
			n++
		}
	}
	return n
}

// counts are the refcounts of the host clusters of the streams: how many streams
// each has a part of.
func (p *packer) counts(bits uint) []uint16 {
	counts := make([]uint16, ceilDiv(int64(p.out.Len()), 1<<bits))
	for _, s := range p.streams {
		for c := s.offset >> bits; s.length > 0 && c <= (s.sectorEnd()-1)>>bits; c++ {
			counts[c]++
		}
	}
	return counts
}

// sectorEnd is the end of the last sector that a stream touches.
func (s stored) sectorEnd() int64 { return ceilDiv(s.offset+s.length, SectorSize) * SectorSize }

// entry is the L2 entry of a stream; area is where in the file the streams begin.
func (s stored) entry(area int64, bits uint) uint64 {
	sectors := (s.sectorEnd()-s.offset)/SectorSize - 1
	return flagCompressed | uint64(sectors)<<(62-(bits-8)) | uint64(area+s.offset)
}
