package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"github.com/spf13/cobra"

	"fleece/conformance"
	"fleece/conformance/report"
)

func reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "report",
		Short: "look at stored reports",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var asJSON bool
	diff := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "compare two reports; exit status 1 if something got worse",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return diffReports(c.OutOrStdout(), args[0], args[1], asJSON)
		},
	}
	diff.Flags().BoolVar(&asJSON, "json", false, "print the differences as one JSON document")
	c.AddCommand(&cobra.Command{
		Use:   "show REPORT",
		Short: "print a report (a directory or its report.json) as the run printed it",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := readReport(args[0])
			if err != nil {
				return err
			}
			p := newPrinter(c.OutOrStdout(), false)
			for _, res := range r.Results {
				p.result(res)
			}
			p.summary(r)
			return nil
		},
	}, diff)
	return c
}

// readReport reads report.json, by its path or that of its directory.
func readReport(path string) (conformance.Report, error) {
	var r conformance.Report
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, report.ReportFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(text, &r)
	if err == nil && r.Tool == "" {
		err = errors.New("it names no tool")
	}
	if err != nil {
		return r, fmt.Errorf("%s is no report of fleece (%w): give the directory of --report-dir, or its %s", path, err, report.ReportFile)
	}
	return r, nil
}

// change is a spec in one lane whose state differs between two reports.
type change struct {
	Spec  string            `json:"spec"`
	Lane  string            `json:"lane"`
	From  conformance.State `json:"from,omitempty"` // "" if it was not in the old report
	To    conformance.State `json:"to,omitempty"`   // "" if it is not in the new one
	Worse bool              `json:"worse"`
}

func diffReports(out io.Writer, from, to string, asJSON bool) error {
	before, err := readReport(from)
	if err != nil {
		return err
	}
	after, err := readReport(to)
	if err != nil {
		return err
	}
	changes := compareReports(before, after)
	if asJSON {
		if err := printJSON(out, changes); err != nil {
			return err
		}
	}
	worse := 0
	for _, c := range changes {
		sign := "better"
		if c.Worse {
			sign = "worse"
			worse++
		}
		if !asJSON {
			fmt.Fprintf(out, "%-6s  %-8s %-40s %s -> %s\n", sign, c.Lane, c.Spec, orNone(c.From), orNone(c.To))
		}
	}
	if !asJSON {
		fmt.Fprintf(out, "%d differences, %d worse\n", len(changes), worse)
	}
	if worse > 0 {
		return errFinding
	}
	return nil
}

func orNone(s conformance.State) string {
	if s == "" {
		return "none"
	}
	return string(s)
}

// compareReports lists the changes, by lane and spec. Whatever was a pass and is
// none now is worse, and so is a new failure.
func compareReports(before, after conformance.Report) []change {
	type key struct{ lane, spec string }
	old, now := make(map[key]conformance.State), make(map[key]conformance.State)
	var keys []key
	for _, r := range before.Results {
		k := key{r.Lane, r.Spec}
		old[k] = r.State
		keys = append(keys, k)
	}
	for _, r := range after.Results {
		k := key{r.Lane, r.Spec}
		if _, ok := old[k]; !ok {
			keys = append(keys, k)
		}
		now[k] = r.State
	}
	sort.SliceStable(keys, func(a, b int) bool {
		return keys[a].lane < keys[b].lane || keys[a].lane == keys[b].lane && keys[a].spec < keys[b].spec
	})
	changes := []change{}
	for _, k := range keys {
		from, to := old[k], now[k]
		if from == to {
			continue
		}
		good := conformance.OK([]conformance.Result{{State: to}})
		worse := from == conformance.StatePass || to != "" && !good
		changes = append(changes, change{k.spec, k.lane, from, to, worse})
	}
	return changes
}
