package catalogue

import (
	"fmt"
	"strings"
	"testing"
)

func mustLoad(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheTablesLoadAndNoErrorRowOrInvariantIsMissing(t *testing.T) {
	c := mustLoad(t)
	const errorRows, invariants = 263, 18
	for i := range errorRows {
		if _, ok := c.Row(fmt.Sprintf("E%03d", i+1)); !ok {
			t.Errorf("E%03d is missing", i+1)
		}
	}
	for i := range invariants {
		if _, ok := c.Row(fmt.Sprintf("I%d", i+1)); !ok {
			t.Errorf("I%d is missing", i+1)
		}
	}
	if len(c.Rows) <= errorRows+invariants {
		t.Errorf("%d rows: no requirements", len(c.Rows))
	}
	if r, _ := c.Row("E047"); r.Error.Code != 104 || r.Error.Name != "NO_DOMAIN_BACKUP" || r.Surface != "push" {
		t.Errorf("E047 reads %+v", r)
	}
}

// small is a catalogue of one row per table, each of which a case changes.
func small() tables {
	line := func(columns string, cells ...string) string {
		return "# a comment\n" + strings.ReplaceAll(columns, " ", "\t") + "\n" + strings.Join(cells, "\t") + "\n"
	}
	return tables{
		surfaces:     line(surfaceColumns, "push", "done", "Pushes.") + "pull\topen\tPulls.\n",
		requirements: line(requirementColumns, "BEG-01", "M", "push", "It begins.") + "PUL-01\tM\tpull\tIt pulls.\n",
		invariants:   line(invariantColumns, "I1", "push", "It holds."),
		errors: line(errorColumns, "E001", "push", "reachable", "V", "8", "INVALID_ARG", "Begin", "it is bad", "store '%s' is bad", "-") +
			"E002\tpush\tunreachable\tU\t1\tINTERNAL_ERROR\tBegin\tnever\tnever\tnobody gets there\n",
		uncovered: line(uncoveredColumns, "I1", NoSpecYet),
	}
}

func TestAWrongTableIsRefusedWithItsLine(t *testing.T) {
	change := func(field func(*tables) *string, old, new string) func(*tables) {
		return func(t *tables) {
			p := field(t)
			if !strings.Contains(*p, old) {
				panic("the case changes nothing: " + old)
			}
			*p = strings.Replace(*p, old, new, 1)
		}
	}
	requirements := func(t *tables) *string { return &t.requirements }
	errors := func(t *tables) *string { return &t.errors }
	surfaces := func(t *tables) *string { return &t.surfaces }
	uncovered := func(t *tables) *string { return &t.uncovered }
	for _, c := range []struct {
		name string
		make func(*tables)
		want string
	}{
		{"header", change(requirements, "level", "rank"), `requirements.tsv: line 2: column 2 is called "rank", not "level"`},
		{"a cell too few", change(requirements, "\tpush", ""), "requirements.tsv: record on line 3: wrong number of fields"},
		{"nothing at all", change(requirements, small().requirements, ""), "requirements.tsv: EOF"},
		{"an empty cell", change(requirements, "It begins.", ""), "line 3: statement is empty"},
		{"spaces", change(requirements, "It begins.", "It begins. "), "has spaces around it"},
		{"a long cell", change(requirements, "It begins.", strings.Repeat("x", cellBytesMax+1)), "has 401 bytes, more than 400"},
		{"a long table", change(requirements, "# a", "#"+strings.Repeat("x", tableBytesMax)), "are more than 1048576"},
		{"many rows", change(uncovered, "I1\t", strings.Repeat("I1\tx\n", tableRowsMax)+"I1\t"), "I1 is there twice"},
		{"an id", change(requirements, "BEG-01", "BEG-1"), `line 3: id "BEG-1" is not of the form`},
		{"an id twice", change(requirements, "PUL-01", "BEG-01"), "line 4: id BEG-01 is there twice"},
		{"level", change(requirements, "M\tpush", "X\tpush"), `level "X" is neither M nor S`},
		{"surface", change(requirements, "M\tpush", "M\tpash"), `surface "pash" is not in surfaces.tsv`},
		{"state", change(surfaces, "open", "ajar"), `state "ajar" is neither done nor open`},
		{"surface twice", change(surfaces, "pull", "push"), `surface "push" is there twice`},
		{"code", change(errors, "\t8\t", "\teight\t"), `errors.tsv: line 3: code "eight"`},
		{"code 0 with a name", change(errors, "\t8\t", "\t0\t"), `code "0"`},
		{"source", change(errors, "\tV\t", "\tVC\t"), `source "VC"`},
		{"reach", change(errors, "unreachable", "hidden"), `reach "hidden"`},
		{"no note", change(errors, "nobody gets there", "-"), "E002 is unreachable: the note has to say why"},
		{"uncovered unknown", change(uncovered, "I1", "I9"), "I9 is in no table"},
		{"uncovered unreachable", change(uncovered, "I1", "E002"), "E002 is unreachable and needs no reason"},
		{"uncovered and open", change(uncovered, "I1", "PUL-01"), "surface pull, which is open"},
		{"uncovered without reason", change(uncovered, NoSpecYet, "-"), "I1 has no reason"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tabs := small()
			c.make(&tabs)
			if _, err := load(tabs); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
		})
	}
}

func TestCheckFindsWhatIsMissingStaleUnreachableAndUnknown(t *testing.T) {
	c, err := load(small())
	if err != nil {
		t.Fatal(err)
	}
	good := map[string][]string{"BEG-01": {"a"}, "E001": {"b"}}
	if p := c.Check(good); len(p) != 0 {
		t.Errorf("a catalogue that is covered has problems: %q", p)
	}
	bad := map[string][]string{"E001": {"b"}, "E002": {"c"}, "I1": {"d"}, "E999": {"e"}, "E998": {"f", "g"}}
	want := []string{"BEG-01 (It begins.) has no spec", "I1 has a spec now (d)", "E002 cannot be reached (nobody gets there), yet c", "E998 is not in the catalogue, yet f, g", "E999 is not"}
	got := c.Check(bad)
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("problem %d is %q, want %q", i, got[i], want[i])
		}
	}
}

func TestAMessageFitsARowByItsFixedPartsInOrder(t *testing.T) {
	e := &ErrorSpec{Text: "store '%s' for backup of '%s' exists"}
	for message, want := range map[string]bool{
		"invalid argument: store '/x' for backup of 'vda' exists": true,
		"store '' for backup of '' exists":                        true,
		"for backup of 'vda' exists: store 'x'":                   false,
		"store '/x' for backup of 'vda'":                          false,
	} {
		if e.Fits(message) != want {
			t.Errorf("Fits(%q) = %v", message, !want)
		}
	}
}

// FuzzTables looks for a table that makes the parser panic, or that it takes
// though a row that it hands out is not in the form that the package promises.
func FuzzTables(f *testing.F) {
	s := small()
	f.Add(s.requirements, s.errors, s.surfaces, s.uncovered)
	f.Fuzz(func(t *testing.T, requirements, errors, surfaces, uncovered string) {
		c, err := load(tables{requirements, s.invariants, errors, surfaces, uncovered})
		if err != nil {
			return
		}
		for _, r := range c.Rows {
			if found, ok := c.Row(r.ID); !ok || found.ID != r.ID || r.Statement == "" || r.Reach != Reachable && r.Note == "" {
				t.Errorf("row %+v", r)
			}
		}
	})
}

func TestAWrongVariantIsRefusedWithItsLine(t *testing.T) {
	table := func(rows string) string { return strings.ReplaceAll(fieldColumns, " ", "\t") + "\n" + rows }
	for rows, want := range map[string]string{
		"2\ta\tb\tc\t-\n":              `field.tsv: line 2: number "2", want 1`,
		"1\ta\tb\t-\t-\n":              "line 2: variant 1: either specs or a reason",
		"1\ta\tb\tc\td\n":              "line 2: variant 1: either specs or a reason",
		"1\ta\tb\tc\t-\n1\ta\tb\tc\t-": `line 3: number "1", want 2`,
	} {
		if _, err := field(table(rows)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", rows, err, want)
		}
	}
	all, err := field(table("1\ta\tb\tc d\t-\n2\ta\te\t-\tf\n"))
	if err != nil || len(all) != 2 || len(all[0].Specs) != 2 || all[1].Reason != "f" {
		t.Errorf("got %+v, %v", all, err)
	}
}
