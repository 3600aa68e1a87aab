package report

import (
	"fleece/conformance"
	"fleece/conformance/catalogue"
)

// viewCall is a line of the matrix API × code.
type viewCall struct {
	Name  string
	Codes []viewCode
}

type viewCode struct {
	Code int
	Name string
	Rows []viewError
}

// viewError is an error row with the worst state of any lane; "" if none was run.
type viewError struct {
	ID, Statement, Gap string
	State              conformance.State
}

// callsOf is the matrix with what the rows say.
func callsOf(rows []viewRow) ([]viewCall, error) {
	c, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	of := make(map[string]viewError)
	for _, r := range rows {
		e := viewError{ID: r.ID, Statement: r.Statement, Gap: r.Gap}
		for _, cell := range r.Cells {
			if len(cell.Specs) > 0 {
				e.State = worse(e.State, cell.State)
			}
		}
		of[r.ID] = e
	}
	var calls []viewCall
	for _, call := range c.Calls() {
		v := viewCall{Name: call.Name}
		for _, code := range call.Codes {
			line := viewCode{Code: code.Code, Name: code.Name}
			for _, r := range code.Rows {
				line.Rows = append(line.Rows, of[r.ID])
			}
			v.Codes = append(v.Codes, line)
		}
		calls = append(calls, v)
	}
	return calls, nil
}
