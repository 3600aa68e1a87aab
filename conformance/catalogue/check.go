package catalogue

import (
	"fmt"
	"sort"
	"strings"
)

// Check compares the catalogue with what specs prove: by row id, the ids of the
// specs. Each problem is one line that says what to do; in the order of the rows,
// unknown ids last.
func (c *Catalogue) Check(proved map[string][]string) []string {
	var problems []string
	for _, r := range c.Rows {
		specs := proved[r.ID]
		_, excused := c.Uncovered[r.ID]
		switch {
		case len(specs) == 0 && c.Gap(r) == "":
			problems = append(problems, fmt.Sprintf("%s (%s) has no spec: write one, or give the reason in uncovered.tsv", r.ID, r.Statement))
		case len(specs) > 0 && r.Reach == Unreachable:
			problems = append(problems, fmt.Sprintf("%s cannot be reached (%s), yet %s claim(s) it", r.ID, r.Note, strings.Join(specs, ", ")))
		case len(specs) > 0 && excused:
			problems = append(problems, fmt.Sprintf("%s has a spec now (%s): take its line out of uncovered.tsv", r.ID, specs[0]))
		}
	}
	return append(problems, c.unknown(proved)...)
}

func (c *Catalogue) unknown(proved map[string][]string) []string {
	var problems []string
	for id, specs := range proved {
		if _, known := c.index[id]; !known {
			problems = append(problems, fmt.Sprintf("%s is not in the catalogue, yet %s claim(s) it: a slip of the pen?", id, strings.Join(specs, ", ")))
		}
	}
	sort.Strings(problems)
	return problems
}
