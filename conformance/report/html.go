package report

import (
	"bytes"
	_ "embed" // for page
	"fmt"
	"html/template"
	"slices"

	"fleece/conformance"
	"fleece/conformance/catalogue"
)

//go:embed page.gohtml
var page string

// view is what the page shows.
type view struct {
	conformance.Report
	Lanes  []string
	States []stateCount
	Rows   []viewRow
	Calls  []viewCall
	Specs  []viewSpec
	Bad    []conformance.Result // everything with a failure, and xpass and notrun
}

type stateCount struct {
	State conformance.State
	Count int
}

// viewRow is a requirement with what each lane says of it.
type viewRow struct {
	ID, Statement, Gap string
	Cells              []viewCell
}

// viewCell is a requirement in one lane: the worst state of its specs there.
type viewCell struct {
	State conformance.State
	Specs []conformance.Result
}

// viewSpec is a spec with its result in each lane.
type viewSpec struct {
	ID, Title string
	Results   []*conformance.Result // by lane; nil where it was not chosen
}

// HTML is the report as one page that needs nothing else.
func HTML(r conformance.Report) ([]byte, error) {
	v := view{Report: r}
	for _, res := range r.Results {
		if !slices.Contains(v.Lanes, res.Lane) {
			v.Lanes = append(v.Lanes, res.Lane)
		}
		if res.Failure != nil || res.State == conformance.StateXPass || res.State == conformance.StateNotRun {
			v.Bad = append(v.Bad, res)
		}
	}
	for _, s := range conformance.States() {
		if n := r.Counts[s]; n > 0 {
			v.States = append(v.States, stateCount{s, n})
		}
	}
	v.Specs = specsOf(r.Results, v.Lanes)
	rows, err := rowsOf(r.Results, v.Lanes)
	if err != nil {
		return nil, err
	}
	v.Rows = rows
	if v.Calls, err = callsOf(rows); err != nil {
		return nil, err
	}
	t, err := template.New("page").Funcs(template.FuncMap{"anchor": anchor}).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("the report's page: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("the report's page: %w", err)
	}
	return out.Bytes(), nil
}

// anchor is the place of a result on the page.
func anchor(r conformance.Result) string { return r.Lane + "." + r.Spec }

func specsOf(results []conformance.Result, lanes []string) []viewSpec {
	var specs []viewSpec
	at := make(map[string]int)
	for i := range results {
		r := &results[i]
		k, ok := at[r.Spec]
		if !ok {
			k = len(specs)
			at[r.Spec] = k
			specs = append(specs, viewSpec{r.Spec, r.Title, make([]*conformance.Result, len(lanes))})
		}
		specs[k].Results[slices.Index(lanes, r.Lane)] = r
	}
	return specs
}

// rowsOf is the matrix: every row of the catalogue that a result is about, and those
// of finished surfaces that none is about.
func rowsOf(results []conformance.Result, lanes []string) ([]viewRow, error) {
	c, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	of := make(map[string][]viewCell)
	for _, r := range results {
		for _, id := range r.Requirements {
			if of[id] == nil {
				of[id] = make([]viewCell, len(lanes))
			}
			cell := &of[id][slices.Index(lanes, r.Lane)]
			cell.Specs = append(cell.Specs, r)
			cell.State = worse(cell.State, r.State)
		}
	}
	var rows []viewRow
	for _, row := range c.Rows {
		cells := of[row.ID]
		gap := ""
		if cells == nil {
			if gap = c.Gap(row); gap == "" {
				gap = "no spec was run"
			}
			cells = make([]viewCell, len(lanes))
		}
		rows = append(rows, viewRow{row.ID, row.Statement, gap, cells})
	}
	return rows, nil
}

// worse is the state of two that counts: any but a pass is worse than a pass.
func worse(a, b conformance.State) conformance.State {
	order := conformance.States()
	if a == "" || slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
