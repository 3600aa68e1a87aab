package oracle

import (
	"fmt"
	"strings"
)

// Finding says why no cut explains the evidence.
type Finding struct {
	Disk   string
	Offset int64 // of the first byte that cannot be explained
	Length int64 // of the range that shows the same, at least one sector or granule
	// Problem is one sentence; Lines tell the writes that are involved.
	Problem string
	Lines   []string
}

// String is the problem and its lines.
func (f *Finding) String() string {
	head := fmt.Sprintf("%s at byte %d (%d bytes): %s", f.Disk, f.Offset, f.Length, f.Problem)
	return strings.Join(append([]string{head}, f.Lines...), "\n  ")
}

// Error is String: within this package a Finding ends the reading as an error does.
func (f *Finding) Error() string { return f.String() }

// Limits of what a finding tells.
const (
	historyLinesMax = 12 // writes of a range
	strangeBytesMax = 24 // bytes that nobody wrote
)

// sectorHistory lists the writes that touch a range: the newest ones, oldest first.
func (d *Disk) sectorHistory(offset, length int64) []string {
	var lines []string
	for _, w := range d.writes {
		if w.Offset < offset+length && offset < w.end() {
			lines = append(lines, w.String())
		}
	}
	if lines == nil {
		return []string{"nothing was ever written there"}
	}
	if more := len(lines) - historyLinesMax; more > 0 {
		lines = append([]string{fmt.Sprintf("… %d older writes", more)}, lines[more:]...)
	}
	return lines
}

// expected says what a legal cut may show in a cell.
func (k *cell) expected() string {
	var names []string
	if len(k.sure) == 0 {
		names = append(names, "zeroes")
	}
	for _, list := range [][]*Write{k.sure, k.free} {
		for _, w := range list {
			names = append(names, fmt.Sprintf("write %d", w.Seq))
		}
	}
	if more := len(names) - historyLinesMax; more > 0 {
		names = append(names[:historyLinesMax], fmt.Sprintf("%d more", more))
	}
	return "expected: " + strings.Join(names, " or ")
}

// finding is a contradiction within one cell.
func (r *reader) finding(k *cell, p place, problem string) *Finding {
	return &Finding{
		Disk: r.Disk.Name, Offset: p.offset, Length: p.length, Problem: problem,
		Lines: append([]string{k.expected(), "got: " + p.String(), r.interval()},
			r.Disk.sectorHistory(p.offset, p.length)...),
	}
}

// lost is for a cell that reads as never written.
func (r *reader) lost(k *cell, p place) *Finding {
	return r.finding(k, p, fmt.Sprintf("the image lacks write %d, which was acknowledged before the call", k.sure[0].Seq))
}

// impossible is for a write that no legal cut shows there: it came too late, or
// was replaced before.
func (r *reader) impossible(k *cell, w *Write, p place) *Finding {
	if r.at.lacks(w) {
		return r.finding(k, p, fmt.Sprintf("the image shows write %d, which was issued after the call had returned", w.Seq))
	}
	for _, v := range k.sure {
		if w.before(v) {
			return r.finding(k, p, fmt.Sprintf("the image shows write %d, which write %d had replaced before the call", w.Seq, v.Seq))
		}
	}
	panic(fmt.Sprintf("oracle: write %d is neither late nor replaced at %d of %s", w.Seq, p.offset, r.Disk.Name))
}

// uncovered judges bytes outside of the ranges that a raw incremental image covers.
func (r *reader) uncovered(p []byte, off int64) error {
	at := firstNonZero(p)
	if at < 0 {
		return nil
	}
	return &Finding{
		Disk: r.Disk.Name, Offset: off + at, Length: 1,
		Problem: "data outside of what the incremental image covers, where it must read as zero (I8)",
		Lines:   r.Disk.sectorHistory(off+at, 1),
	}
}

func (r *reader) notSparse(off int64) *Finding {
	f := &Finding{
		Disk: r.Disk.Name, Offset: off, Length: r.Sparse,
		Problem: "data where nothing was ever written: the image is not sparse (I14)",
	}
	if r.Since != nil {
		f.Problem = "data where nothing was written between the checkpoint and the call: an incremental image holds too much (I6)"
		f.Lines = r.Disk.sectorHistory(off, r.Sparse)
	}
	return f
}

// strange is for bytes that no write of this place explains.
func (r *reader) strange(p []byte, off int64) *Finding {
	f := &Finding{
		Disk: r.Disk.Name, Offset: off, Length: min(int64(len(p)), SectorSize),
		Problem: fmt.Sprintf("bytes that nobody wrote there: % x …", p[:min(len(p), strangeBytesMax)]),
	}
	if off%SectorSize == 0 && len(p) >= SectorSize {
		if seq := int(seqOf(p)); seq > 0 && seq <= len(r.h.writes) {
			w := r.h.writes[seq-1]
			if w.Disk == r.Disk && w.covers(off, off+SectorSize) {
				f.Problem = fmt.Sprintf("a torn sector: it begins with the stamp of write %d and goes on otherwise", seq)
			} else {
				f.Problem = fmt.Sprintf("the stamp of write %d, which did not write here", seq)
			}
			f.Lines = append(f.Lines, "the stamp belongs to "+w.String())
		}
	}
	f.Lines = append(append(f.Lines, r.interval()), r.Disk.sectorHistory(off, SectorSize)...)
	return f
}
