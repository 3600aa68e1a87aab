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
	var wanted matrixFilter
	c := &cobra.Command{
		Use:   "list",
		Short: "list the specs, or the matrix requirement × specs × lanes",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text.DisableColors()
			if requirements || wanted.any() {
				return listRequirements(c.OutOrStdout(), wanted, asJSON)
			}
			return listSpecs(c.OutOrStdout(), asJSON)
		},
	}
	c.Flags().BoolVar(&requirements, "requirements", false, "the matrix requirement × specs × lanes, every row of the catalogue")
	c.Flags().StringSliceVar(&wanted.prefixes, "prefix", nil, "of the matrix, only rows whose id begins so: BEG, END-0, E, I")
	c.Flags().StringVar(&wanted.surface, "surface", "", "of the matrix, only rows of this part of the API: push, pull, checkpoint …")
	c.Flags().BoolVar(&wanted.missing, "missing", false, "of the matrix, only rows that wait for a spec")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}

var everyLane = []string{conformance.LaneSim, conformance.LaneSimReal, conformance.LaneQEMU}

// lanesOf are the lanes that a spec is meant for.
func lanesOf(s conformance.Spec) []string {
	if len(s.Lanes) == 0 {
		return everyLane
	}
	return s.Lanes
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
		listed = append(listed, listedSpec{s.ID, s.Title, s.Requirements, lanesOf(s), s.Reason, s.Alone})
	}
	return printJSON(out, listed)
}

func newTable(out io.Writer, header table.Row) table.Writer {
	tw := table.NewWriter()
	tw.SetOutputMirror(out)
	tw.SetStyle(table.StyleLight)
	tw.AppendHeader(header)
	return tw
}
