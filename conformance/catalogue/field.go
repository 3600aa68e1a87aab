package catalogue

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed field.tsv
var fieldTable string

const fieldColumns = "number topic variant specs reason"

// Variant is one thing that a large test suite of libvirt's does on real machines.
type Variant struct {
	Number int    // from 1, without gaps
	Topic  string // variants of a topic follow each other
	What   string
	Specs  []string // that prove it here; empty if there is a Reason
	Reason string   // why none does
}

// Field reads field.tsv. An error names the line.
func Field() ([]Variant, error) { return field(fieldTable) }

func field(text string) ([]Variant, error) {
	var all []Variant
	err := eachRow(text, fieldColumns, func(cells []string) error {
		v := Variant{Topic: cells[1], What: cells[2], Reason: orEmpty(cells[4])}
		if specs := orEmpty(cells[3]); specs != "" {
			v.Specs = strings.Split(specs, " ")
		}
		var err error
		if v.Number, err = strconv.Atoi(cells[0]); err != nil || v.Number != len(all)+1 {
			return fmt.Errorf("number %q, want %d", cells[0], len(all)+1)
		}
		if (len(v.Specs) == 0) != (v.Reason != "") {
			return fmt.Errorf("variant %d: either specs or a reason", v.Number)
		}
		all = append(all, v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("field.tsv: %w", err)
	}
	return all, nil
}

// FieldPage is the table as a page of Markdown.
func FieldPage(all []Variant) string {
	var b strings.Builder
	proved := 0
	for _, v := range all {
		if len(v.Specs) > 0 {
			proved++
		}
	}
	b.WriteString("# Coverage from the field\n\n" +
		"autotest/tp-libvirt (commit 18ae28752) runs these variants of checkpoints and backups on real\n" +
		"machines with real guests. For each this table names the specs that prove the same here, or\n" +
		"the reason why none does. It is made from `conformance/catalogue/field.tsv` by\n" +
		"`go test ./conformance/catalogue -run Coverage -update`; a test fails when it is stale or\n" +
		"names a spec that does not exist.\n\n")
	fmt.Fprintf(&b, "%d variants: %d (%.1f %%) have specs, %d a reason.\n", len(all), proved, 100*float64(proved)/float64(len(all)), len(all)-proved)
	writeReasons(&b, all)
	topic := ""
	for _, v := range all {
		if v.Topic != topic {
			topic = v.Topic
			fmt.Fprintf(&b, "\n## %s\n\n| # | variant | specs, or the reason why none |\n|---|---|---|\n", topic)
		}
		fmt.Fprintf(&b, "| %d | %s | %s |\n", v.Number, v.What, v.proof())
	}
	return b.String()
}

// writeReasons counts the reasons, most frequent first.
func writeReasons(b *strings.Builder, all []Variant) {
	count := make(map[string]int)
	var reasons []string
	for _, v := range all {
		if v.Reason != "" {
			if count[v.Reason]++; count[v.Reason] == 1 {
				reasons = append(reasons, v.Reason)
			}
		}
	}
	slices.SortStableFunc(reasons, func(a, b string) int { return count[b] - count[a] })
	b.WriteString("\n| variants | reason why no spec |\n|---|---|\n")
	for _, r := range reasons {
		fmt.Fprintf(b, "| %d | %s |\n", count[r], r)
	}
}

func (v Variant) proof() string {
	if v.Reason != "" {
		return "— " + v.Reason
	}
	return "`" + strings.Join(v.Specs, "` `") + "`"
}
