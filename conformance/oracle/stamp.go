package oracle

import "encoding/binary"

// A stamp fills a sector: a magic number, disk, sequence, sector number, a check
// word over these, and then words that go on from the check word, so that no two
// stamps agree in any word behind the header and a torn sector is seen.

const (
	stampMagic  = 0x3145434545_4c46 // "FLEECE1"
	stampStep   = 0x9e3779b97f4a7c15
	headerWords = 4
)

// stamp writes the stamp of (disk, seq, sector) into p, which is one sector.
func stamp(p []byte, disk, seq uint32, sector uint64) {
	check := mix(uint64(disk)<<32|uint64(seq), sector)
	binary.LittleEndian.PutUint64(p[0:], stampMagic)
	binary.LittleEndian.PutUint64(p[8:], uint64(disk)<<32|uint64(seq))
	binary.LittleEndian.PutUint64(p[16:], sector)
	for i := headerWords - 1; i < SectorSize/8; i++ {
		binary.LittleEndian.PutUint64(p[i*8:], check)
		check += stampStep
	}
}

// mix is a finaliser over both words.
func mix(a, b uint64) uint64 {
	z := a*stampStep ^ b
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// fill stamps p, which stands at that byte offset of the disk; sectors that p
// covers in part get that part of their stamp.
func fill(p []byte, disk, seq uint32, offset int64) {
	for len(p) > 0 {
		in := int(offset % SectorSize)
		n := min(len(p), SectorSize-in)
		if n == SectorSize {
			stamp(p[:n], disk, seq, uint64(offset/SectorSize))
		} else {
			var whole [SectorSize]byte
			stamp(whole[:], disk, seq, uint64(offset/SectorSize))
			copy(p[:n], whole[in:])
		}
		p, offset = p[n:], offset+int64(n)
	}
}

// seqOf reads the sequence number of a stamped sector; 0 if it bears no stamp.
// The caller compares the whole sector with that write's data.
func seqOf(p []byte) uint32 {
	if binary.LittleEndian.Uint64(p) != stampMagic {
		return 0
	}
	return uint32(binary.LittleEndian.Uint64(p[8:]))
}
