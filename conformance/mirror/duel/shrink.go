package duel

import (
	"time"

	"fleece/conformance/mirror/walk"
)

// Bounds of a shrinking: the sessions that it runs, and how long it begins new ones. A
// session in which the real QEMU hangs takes as long as a reply may.
const (
	shrinkTriesMax = 400
	shrinkTimeMax  = 40 * time.Second
)

// shrink finds a short list of steps that still differs: it leaves out ever smaller
// pieces (delta debugging). The first step negotiates and the last one quits; both stay.
func shrink(steps []walk.Step, fails func([]walk.Step) bool) []walk.Step {
	tries, deadline := 0, time.Now().Add(shrinkTimeMax)
	for size := max(len(steps)/2, 1); ; size /= 2 {
		for at := 1; at < len(steps)-1; {
			if tries++; tries > shrinkTriesMax || time.Now().After(deadline) {
				return steps
			}
			end := min(at+size, len(steps)-1)
			shorter := append(append([]walk.Step(nil), steps[:at]...), steps[end:]...)
			if fails(shorter) {
				steps = shorter
			} else {
				at = end
			}
		}
		if size == 1 {
			return steps
		}
	}
}
