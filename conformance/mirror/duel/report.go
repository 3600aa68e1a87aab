package duel

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// placesMax bounds the places that a report names in one message.
const placesMax = 6

// String shows the difference side by side: of messages that are long and nearly the
// same, the places where they differ.
func (d *Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "step %d: %s\n", d.Step, d.What)
	for i := range max(len(d.Real), len(d.Simulated)) {
		real, simulated := "nothing", "nothing"
		if i < len(d.Real) {
			real = d.Real[i]
		}
		if i < len(d.Simulated) {
			simulated = d.Simulated[i]
		}
		if real == simulated {
			fmt.Fprintf(&b, "  both       %s\n", real)
			continue
		}
		if found := places(real, simulated); len(real) > 300 && len(found) > 0 {
			for _, f := range found[:min(len(found), placesMax)] {
				fmt.Fprintf(&b, "  at         %s\n", f)
			}
			continue
		}
		fmt.Fprintf(&b, "  real       %s\n  simulated  %s\n", real, simulated)
	}
	return b.String()
}

// places lists where two JSON texts differ, with both values.
func places(a, b string) (found []string) {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return nil
	}
	apart("", x, y, &found)
	return found
}

func apart(at string, x, y any, found *[]string) {
	switch x := x.(type) {
	case map[string]any:
		if y, ok := y.(map[string]any); ok {
			if n, ok := x["node-name"].(string); ok {
				at += "(" + n + ")"
			}
			names := slices.Collect(maps.Keys(x))
			for n := range y {
				if _, ok := x[n]; !ok {
					names = append(names, n)
				}
			}
			slices.Sort(names)
			for _, n := range names {
				apart(at+"."+n, x[n], y[n], found)
			}
			return
		}
	case []any:
		if y, ok := y.([]any); ok && len(x) == len(y) {
			for i := range x {
				apart(fmt.Sprintf("%s[%d]", at, i), x[i], y[i], found)
			}
			return
		}
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	if string(p) != string(q) {
		*found = append(*found, fmt.Sprintf("%s: real %s, simulated %s", at, p, q))
	}
}
