package main

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"fleece/conformance"
	"fleece/real"
)

// check is one line of fleece doctor.
type check struct {
	What    string `json:"what"`
	OK      bool   `json:"ok"`
	Detail  string `json:"detail"`
	Enables string `json:"enables"`
}

func doctorCommand() *cobra.Command {
	var binary string
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "what this host has, and what that enables",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return doctor(c.OutOrStdout(), checks(binary), asJSON)
		},
	}
	c.Flags().StringVar(&binary, "qemu", "", "path of a qemu-system-x86_64")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}

func checks(binary string) []check {
	p := real.Probe(binary)
	list := []check{
		{"simulator", true, fmt.Sprintf("%s, %d processors", runtime.Version(), runtime.GOMAXPROCS(0)),
			"lanes " + conformance.LaneSim + " and " + conformance.LaneSimReal},
		{"qemu-system-x86_64", p.Err == "", orElse(p.Err, p.Path+", "+p.Version), "lane " + conformance.LaneQEMU},
		{"KVM", p.KVM == "", orElse(p.KVM, "usable"), "--accel kvm"},
		{"private tmpfs", p.Tmpfs == "", orElse(p.Tmpfs, "possible"), "specs that need a real ENOSPC"},
	}
	for _, tool := range []string{"qemu-img", "qemu-io"} {
		path, err := exec.LookPath(tool)
		c := check{tool, err == nil, path, "comparisons of images in go test"}
		if err != nil {
			c.Detail = err.Error()
		}
		list = append(list, c)
	}
	return list
}

func orElse(problem, detail string) string {
	if problem != "" {
		return problem
	}
	return detail
}

func doctor(out io.Writer, list []check, asJSON bool) error {
	if asJSON {
		return printJSON(out, list)
	}
	text.DisableColors()
	tw := newTable(out, table.Row{"", "what", "detail", "enables"})
	for _, c := range list {
		tw.AppendRow(table.Row{map[bool]string{true: "ok", false: "missing"}[c.OK], c.What, c.Detail, c.Enables})
	}
	tw.Render()
	return nil
}
