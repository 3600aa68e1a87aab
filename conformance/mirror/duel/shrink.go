package duel

import "fleece/conformance/mirror/walk"

// shrinkTriesMax bounds the sessions that a shrinking runs.
const shrinkTriesMax = 400

// shrink finds a short list of steps that still differs: it leaves out ever smaller
// pieces (delta debugging). The first step negotiates and the last one quits; both stay.
func shrink(steps []walk.Step, fails func([]walk.Step) bool) []walk.Step {
	tries := 0
	for size := max(len(steps)/2, 1); ; size /= 2 {
		for at := 1; at < len(steps)-1; {
			if tries++; tries > shrinkTriesMax {
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
