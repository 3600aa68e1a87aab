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

// historyLinesMax bounds the writes listed in a finding.
const historyLinesMax = 12

// sectorHistory lists the writes that touch a range.
func (d *Disk) sectorHistory(offset, length int64) []string {
	var lines []string
	for _, w := range d.writes {
		if w.Offset < offset+length && offset < w.end() {
			if len(lines) == historyLinesMax {
				return append(lines, "…")
			}
			lines = append(lines, w.String())
		}
	}
	if lines == nil {
		lines = []string{"nothing was ever written there"}
	}
	return lines
}
