package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"fleece/conformance"
	"fleece/conformance/specs"
)

func listCommand() *cobra.Command {
	var requirements, asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "list the specs, or the matrix requirement × specs",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text.DisableColors()
			if requirements {
				return listRequirements(c.OutOrStdout(), asJSON)
			}
			return listSpecs(c.OutOrStdout(), asJSON)
		},
	}
	c.Flags().BoolVar(&requirements, "requirements", false, "the matrix requirement × specs")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}

// listedSpec is a spec without its body.
type listedSpec struct {
	ID           string   `json:"id"`
	Title        string   `json:"title"`
	Requirements []string `json:"requirements"`
	Lanes        []string `json:"lanes"`
	Reason       string   `json:"reason,omitempty"`
	Alone        string   `json:"alone,omitempty"`
}

func listSpecs(out io.Writer, asJSON bool) error {
	all := specs.All()
	if !asJSON {
		tw := newTable(out, table.Row{"id", "title", "requirements"})
		for _, s := range all {
			tw.AppendRow(table.Row{s.ID, s.Title, strings.Join(s.Requirements, " ")})
		}
		tw.Render()
		fmt.Fprintf(out, "%d specs\n", len(all))
		return nil
	}
	listed := make([]listedSpec, 0, len(all))
	for _, s := range all {
		l := s.Lanes
		if len(l) == 0 {
			l = []string{conformance.LaneSim, conformance.LaneSimReal, conformance.LaneQEMU}
		}
		listed = append(listed, listedSpec{s.ID, s.Title, s.Requirements, l, s.Reason, s.Alone})
	}
	return printJSON(out, listed)
}

func listRequirements(out io.Writer, asJSON bool) error {
	rows := conformance.Matrix(specs.All())
	if asJSON {
		return printJSON(out, rows)
	}
	tw := newTable(out, table.Row{"requirement", "specs"})
	for _, r := range rows {
		tw.AppendRow(table.Row{r.Requirement, strings.Join(r.Specs, "\n")})
	}
	tw.Render()
	fmt.Fprintf(out, "%d requirements have specs\n", len(rows))
	return nil
}

func newTable(out io.Writer, header table.Row) table.Writer {
	tw := table.NewWriter()
	tw.SetOutputMirror(out)
	tw.SetStyle(table.StyleLight)
	tw.AppendHeader(header)
	return tw
}
