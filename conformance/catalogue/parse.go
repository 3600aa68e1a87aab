package catalogue

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Limits of the tables. They are far above what is there; a table that reaches one
// is not one of ours.
const (
	tableBytesMax = 1 << 20
	tableRowsMax  = 2000
	cellBytesMax  = 400
)

// The columns of each table.
const (
	requirementColumns = "id level surface statement"
	invariantColumns   = "id surface statement"
	errorColumns       = "id surface reach source code name call condition text note"
	surfaceColumns     = "name state what"
	uncoveredColumns   = "id reason"
)

// none is an empty cell.
const none = "-"

var (
	requirementID = regexp.MustCompile(`^[A-Z]{3}-\d{2}$`)
	invariantID   = regexp.MustCompile(`^I[1-9]\d?$`)
	errorID       = regexp.MustCompile(`^E\d{3}$`)
	surfaceName   = regexp.MustCompile(`^[a-z]+$`)
)

// tables are the texts of all tables.
type tables struct{ requirements, invariants, errors, surfaces, uncovered string }

func load(t tables) (*Catalogue, error) {
	c := &Catalogue{Uncovered: make(map[string]string), index: make(map[string]int)}
	for _, part := range []struct {
		name, text, columns string
		add                 func(cells []string) error
	}{
		{"surfaces", t.surfaces, surfaceColumns, c.addSurface},
		{"requirements", t.requirements, requirementColumns, c.addRequirement},
		{"invariants", t.invariants, invariantColumns, c.addInvariant},
		{"errors", t.errors, errorColumns, c.addError},
		{"uncovered", t.uncovered, uncoveredColumns, c.addUncovered},
	} {
		if err := eachRow(part.text, part.columns, part.add); err != nil {
			return nil, fmt.Errorf("%s.tsv: %w", part.name, err)
		}
	}
	return c, nil
}

// eachRow hands the rows of a table to add, and puts the line before its errors.
func eachRow(text, columns string, add func([]string) error) error {
	if len(text) > tableBytesMax {
		return fmt.Errorf("%d bytes are more than %d", len(text), tableBytesMax)
	}
	want := strings.Fields(columns)
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.Comment, r.FieldsPerRecord = '\t', '#', len(want)
	for n := 0; n <= tableRowsMax; n++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return err // names the line
		}
		line, _ := r.FieldPos(0)
		if n == 0 {
			err = checkHeader(cells, want)
		} else if err = checkCells(cells, want); err == nil {
			err = add(cells)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	return fmt.Errorf("more than %d rows", tableRowsMax)
}

func checkHeader(cells, want []string) error {
	for i := range want {
		if cells[i] != want[i] {
			return fmt.Errorf("column %d is called %q, not %q", i+1, cells[i], want[i])
		}
	}
	return nil
}

func checkCells(cells, names []string) error {
	for i, cell := range cells {
		switch {
		case cell == "":
			return fmt.Errorf("%s is empty: write %s where there is nothing to say", names[i], none)
		case strings.TrimSpace(cell) != cell:
			return fmt.Errorf("%s %q has spaces around it", names[i], cell)
		case len(cell) > cellBytesMax:
			return fmt.Errorf("%s has %d bytes, more than %d", names[i], len(cell), cellBytesMax)
		}
	}
	return nil
}

func (c *Catalogue) addSurface(cells []string) error {
	s := Surface{Name: cells[0], Done: cells[1] == "done", What: cells[2]}
	if !s.Done && cells[1] != "open" {
		return fmt.Errorf("state %q is neither done nor open", cells[1])
	}
	if _, twice := c.surface(s.Name); twice || !surfaceName.MatchString(s.Name) {
		return fmt.Errorf("surface %q is there twice, or is not one word in lower case", s.Name)
	}
	c.Surfaces = append(c.Surfaces, s)
	return nil
}

func (c *Catalogue) addRequirement(cells []string) error {
	r := Row{ID: cells[0], Level: Level(cells[1]), Surface: cells[2], Reach: Reachable, Statement: cells[3]}
	return c.add(r, requirementID)
}

func (c *Catalogue) addInvariant(cells []string) error {
	return c.add(Row{ID: cells[0], Level: Must, Surface: cells[1], Reach: Reachable, Statement: cells[2]}, invariantID)
}

func (c *Catalogue) addError(cells []string) error {
	e := &ErrorSpec{Source: cells[3], Name: orEmpty(cells[5]), Call: cells[6], Condition: cells[7], Text: orEmpty(cells[8])}
	code, err := strconv.Atoi(cells[4])
	if err != nil || code < 0 || (code == 0) != (e.Name == "") {
		return fmt.Errorf("code %q: a number from 0 upward is wanted, and a name unless it is 0", cells[4])
	}
	e.Code = code
	if len(e.Source) != 1 || !strings.Contains("VCSUDP", e.Source) {
		return fmt.Errorf("source %q is none of V, C, S, U, D and P", e.Source)
	}
	r := Row{ID: cells[0], Level: Must, Surface: cells[1], Reach: Reach(cells[2]), Note: orEmpty(cells[9]), Error: e}
	r.Statement = e.Call + ": " + e.Condition
	switch r.Reach {
	case Reachable:
	case Unreachable, Superseded:
		if r.Note == "" {
			return fmt.Errorf("%s is %s: the note has to say why or by what", r.ID, r.Reach)
		}
	default:
		return fmt.Errorf("reach %q is none of reachable, unreachable and superseded", r.Reach)
	}
	return c.add(r, errorID)
}

func orEmpty(cell string) string {
	if cell == none {
		return ""
	}
	return cell
}

func (c *Catalogue) add(r Row, id *regexp.Regexp) error {
	if !id.MatchString(r.ID) {
		return fmt.Errorf("id %q is not of the form %s", r.ID, id)
	}
	if _, twice := c.index[r.ID]; twice {
		return fmt.Errorf("id %s is there twice", r.ID)
	}
	if r.Level != Must && r.Level != Should {
		return fmt.Errorf("%s: level %q is neither %s nor %s", r.ID, r.Level, Must, Should)
	}
	if _, known := c.surface(r.Surface); !known {
		return fmt.Errorf("%s: surface %q is not in surfaces.tsv", r.ID, r.Surface)
	}
	c.index[r.ID] = len(c.Rows)
	c.Rows = append(c.Rows, r)
	return nil
}

func (c *Catalogue) addUncovered(cells []string) error {
	id, reason := cells[0], cells[1]
	r, known := c.Row(id)
	switch {
	case !known:
		return fmt.Errorf("%s is in no table", id)
	case c.Uncovered[id] != "":
		return fmt.Errorf("%s is there twice", id)
	case r.Reach != Reachable:
		return fmt.Errorf("%s is %s and needs no reason here", id, r.Reach)
	case reason == none:
		return fmt.Errorf("%s has no reason", id)
	}
	if s, _ := c.surface(r.Surface); !s.Done {
		return fmt.Errorf("%s is of the surface %s, which is open: no reason is needed yet", id, s.Name)
	}
	c.Uncovered[id] = reason
	return nil
}
