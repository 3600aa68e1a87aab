package catalogue

import (
	"cmp"
	"slices"
	"strings"
)

// Call is a call of the public layer, or a kind of calls, with the errors that it can
// answer with.
type Call struct {
	Name  string // without virDomain; "every call that takes the lock"
	Codes []CallCode
}

// CallCode is one error code of a call, or with code 0 an outcome of a job.
type CallCode struct {
	Code int
	Name string // without VIR_ERR_; "" for code 0
	Rows []Row  // never empty
}

// Calls is the matrix API × code: each error row under each of its calls, the calls in
// the order in which the table first names them, the codes from small to large.
func (c *Catalogue) Calls() []Call {
	var calls []Call
	for _, r := range c.Rows {
		if r.Error == nil {
			continue
		}
		for name := range strings.SplitSeq(r.Error.Call, ", ") {
			i := slices.IndexFunc(calls, func(call Call) bool { return call.Name == name })
			if i < 0 {
				i = len(calls)
				calls = append(calls, Call{Name: name})
			}
			calls[i].add(r)
		}
	}
	return calls
}

func (call *Call) add(r Row) {
	i, found := slices.BinarySearchFunc(call.Codes, r.Error.Code, func(code CallCode, n int) int { return cmp.Compare(code.Code, n) })
	if !found {
		call.Codes = slices.Insert(call.Codes, i, CallCode{Code: r.Error.Code, Name: r.Error.Name})
	}
	call.Codes[i].Rows = append(call.Codes[i].Rows, r)
}
