package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"fleece/conformance"
	"fleece/conformance/catalogue"
	"fleece/conformance/specs"
)

// matrixFilter chooses rows of the matrix; the zero value chooses all.
type matrixFilter struct {
	prefixes []string
	surface  string
	missing  bool
}

func (f matrixFilter) any() bool { return len(f.prefixes) > 0 || f.surface != "" || f.missing }

func (f matrixFilter) wants(r matrixRow) bool {
	if f.missing && r.State != stateMissing || f.surface != "" && f.surface != r.Surface {
		return false
	}
	return len(f.prefixes) == 0 || slices.ContainsFunc(f.prefixes, func(p string) bool { return strings.HasPrefix(r.Requirement, p) })
}

// What a row of the matrix is.
const (
	stateProved  = "proved"  // at least one spec
	stateMissing = "missing" // waits for a spec, be it that its surface is open
	stateExcused = "excused" // needs none; Why says why
)

// matrixRow is one row of the catalogue and the specs that prove it.
type matrixRow struct {
	Requirement string       `json:"requirement"`
	Level       string       `json:"level"`
	Surface     string       `json:"surface"`
	Statement   string       `json:"statement"`
	Code        string       `json:"code,omitempty"` // "NO_DOMAIN_BACKUP 104"
	State       string       `json:"state"`
	Why         string       `json:"why,omitempty"` // of what is not proved
	Specs       []matrixSpec `json:"specs"`
}

// matrixSpec is a spec and the lanes that it is meant for.
type matrixSpec struct {
	ID    string   `json:"id"`
	Lanes []string `json:"lanes"`
}

// matrix is every row of the catalogue, in its order.
func matrix() ([]matrixRow, error) {
	c, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	proved := make(map[string][]matrixSpec)
	for _, s := range specs.All() {
		for _, id := range s.Requirements {
			proved[id] = append(proved[id], matrixSpec{s.ID, lanesOf(s)})
		}
	}
	rows := make([]matrixRow, 0, len(c.Rows))
	for _, r := range c.Rows {
		m := matrixRow{
			Requirement: r.ID, Level: string(r.Level), Surface: r.Surface, Statement: r.Statement,
			State: stateProved, Specs: proved[r.ID],
		}
		if r.Error != nil && r.Error.Code != 0 {
			m.Code = fmt.Sprintf("%s %d", r.Error.Name, r.Error.Code)
		}
		if len(m.Specs) == 0 {
			m.Specs = []matrixSpec{}
			m.State, m.Why = missingOrExcused(c, r)
		}
		rows = append(rows, m)
	}
	return rows, nil
}

// missingOrExcused says of a row without a spec what it is and why.
func missingOrExcused(c *catalogue.Catalogue, r catalogue.Row) (state, why string) {
	why = c.Gap(r)
	_, listed := c.Uncovered[r.ID]
	switch {
	case why == "" || why == catalogue.NoSpecYet:
		return stateMissing, catalogue.NoSpecYet
	case r.Reach == catalogue.Reachable && !listed:
		return stateMissing, catalogue.NoSpecYet + ": " + why
	}
	return stateExcused, why
}

func listRequirements(out io.Writer, wanted matrixFilter, asJSON bool) error {
	rows, err := matrix()
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r matrixRow) bool { return !wanted.wants(r) })
	if asJSON {
		return printJSON(out, rows)
	}
	printMatrix(out, rows)
	if !wanted.any() {
		return printCalls(out, rows)
	}
	return nil
}

// printCalls prints the matrix API × code, with the rows of each cell: those in
// brackets need no spec, those with a question mark wait for one.
func printCalls(out io.Writer, rows []matrixRow) error {
	c, err := catalogue.Load()
	if err != nil {
		return err
	}
	mark := make(map[string]string)
	for _, r := range rows {
		switch r.State {
		case stateProved:
			mark[r.Requirement] = r.Requirement
		case stateMissing:
			mark[r.Requirement] = r.Requirement + "?"
		default:
			mark[r.Requirement] = "(" + r.Requirement + ")"
		}
	}
	tw := newTable(out, table.Row{"call", "code", "rows"})
	tw.SetColumnConfigs([]table.ColumnConfig{{Name: "rows", WidthMax: 80, WidthMaxEnforcer: text.WrapSoft}})
	cells := 0
	for _, call := range c.Calls() {
		for i, code := range call.Codes {
			line := table.Row{"", fmt.Sprintf("%d %s", code.Code, code.Name), ""}
			if i == 0 {
				line[0] = call.Name
			}
			ids := make([]string, 0, len(code.Rows))
			for _, r := range code.Rows {
				ids = append(ids, mark[r.ID])
			}
			line[2] = strings.Join(ids, " ")
			tw.AppendRow(line)
			cells++
		}
	}
	tw.Render()
	fmt.Fprintf(out, "%d calls with %d codes; (row) needs no spec, row? waits for one\n", len(c.Calls()), cells)
	return nil
}

func printMatrix(out io.Writer, rows []matrixRow) {
	tw := newTable(out, table.Row{"id", "level", "what", "spec", "sim", "sim-real", "qemu"})
	tw.SetColumnConfigs([]table.ColumnConfig{
		{Name: "what", WidthMax: 56, WidthMaxEnforcer: text.WrapSoft},
		{Name: "spec", WidthMax: 48, WidthMaxEnforcer: text.WrapSoft},
	})
	count := make(map[string]int)
	for _, r := range rows {
		count[r.State]++
		what := r.Statement
		if r.Code != "" {
			what += " ⇒ " + r.Code
		}
		if len(r.Specs) == 0 {
			tw.AppendRow(table.Row{r.Requirement, r.Level, what, "— " + r.Why})
		}
		for i, s := range r.Specs {
			line := table.Row{"", "", "", s.ID, in(s, conformance.LaneSim), in(s, conformance.LaneSimReal), in(s, conformance.LaneQEMU)}
			if i == 0 {
				line[0], line[1], line[2] = r.Requirement, r.Level, what
			}
			tw.AppendRow(line)
		}
	}
	tw.Render()
	fmt.Fprintf(out, "%d rows: %d have specs, %d wait for one, %d need none\n",
		len(rows), count[stateProved], count[stateMissing], count[stateExcused])
}

// in is the cell of a lane: an x if the spec runs there.
func in(s matrixSpec, lane string) string {
	if slices.Contains(s.Lanes, lane) {
		return "x"
	}
	return ""
}
