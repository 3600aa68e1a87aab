package catalogue

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed requirements.tsv
var requirementsTable string

//go:embed invariants.tsv
var invariantsTable string

//go:embed errors.tsv
var errorsTable string

//go:embed surfaces.tsv
var surfacesTable string

//go:embed uncovered.tsv
var uncoveredTable string

// Level says how binding a row is.
type Level string

// The levels.
const (
	Must   Level = "M"
	Should Level = "S"
)

// Reach says whether a caller can meet a row at all.
type Reach string

// The reaches. A row that is not an error is Reachable.
const (
	Reachable   Reach = "reachable"
	Unreachable Reach = "unreachable" // Row.Note says why
	Superseded  Reach = "superseded"  // Row.Note says by what
)

// NoSpecYet is the reason of a row in uncovered.tsv that merely waits for its spec.
const NoSpecYet = "no spec yet"

// Row is one thing that is promised.
type Row struct {
	ID        string // BEG-01, I4, E047
	Level     Level
	Surface   string // a Surface's Name
	Reach     Reach
	Statement string     // one sentence; of an error row "call: condition"
	Note      string     // why it is not Reachable; else empty
	Error     *ErrorSpec // nil for what is no error row
}

// ErrorSpec is the error that a row demands.
type ErrorSpec struct {
	Source    string // where the fact comes from: V, C, S, U, D or P
	Code      int    // virErrorNumber; 0 for the outcome of a job
	Name      string // of the code, without VIR_ERR_; "" for code 0
	Call      string // public calls, without virDomain
	Condition string
	Text      string // distinctive part of the message; %s, %d, %x vary
}

// Surface is a part of the API.
type Surface struct {
	Name string
	Done bool   // its reachable rows must have specs
	What string // one sentence
}

// Catalogue is all tables.
type Catalogue struct {
	Rows     []Row // requirements, invariants, errors, each in its table's order
	Surfaces []Surface
	// Uncovered gives the reason why a row of a done surface has no spec, by id.
	Uncovered map[string]string
	index     map[string]int // into Rows
}

// Load reads the tables. An error names table and line.
func Load() (*Catalogue, error) {
	return load(tables{requirementsTable, invariantsTable, errorsTable, surfacesTable, uncoveredTable})
}

// Row finds a row by its id.
func (c *Catalogue) Row(id string) (Row, bool) {
	i, ok := c.index[id]
	if !ok {
		return Row{}, false
	}
	return c.Rows[i], true
}

// surface finds a surface by its name.
func (c *Catalogue) surface(name string) (Surface, bool) {
	for _, s := range c.Surfaces {
		if s.Name == name {
			return s, true
		}
	}
	return Surface{}, false
}

// Gap says why a row needs no spec, or "" if it needs one.
func (c *Catalogue) Gap(r Row) string {
	if r.Reach != Reachable {
		return string(r.Reach) + ": " + r.Note
	}
	if reason, ok := c.Uncovered[r.ID]; ok {
		return reason
	}
	if s, ok := c.surface(r.Surface); ok && !s.Done {
		return fmt.Sprintf("the surface %s is open", s.Name)
	}
	return ""
}

// Fits reports whether a message has the distinctive text of the row: its fixed
// parts, in their order.
func (e *ErrorSpec) Fits(message string) bool {
	for _, part := range fixedParts(e.Text) {
		_, after, found := strings.Cut(message, part)
		if !found {
			return false
		}
		message = after
	}
	return true
}

// fixedParts splits a text at its verbs.
func fixedParts(text string) []string {
	return strings.Split(strings.NewReplacer("%d", "%s", "%x", "%s").Replace(text), "%s")
}
