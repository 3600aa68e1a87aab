// Command schematrim makes the schema that package qmp embeds out of what
// query-qmp-schema returned: the commands of QEMU 7.2 and the types of their
// arguments. Introspection hides the width of integers and the names of
// alternates, which show in error texts; they come from a second file that was
// found by asking the binary about every single argument.
//
// It is not part of the product; run it from the repository's root:
//
//	go run ./qmp/schematrim > qmp/schema_qemu72.json
//
// The property it keeps: without the additions, every line is an entry of the
// full schema.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
)

const (
	fullPath  = "qmp/introspection_qemu72.json"
	typesPath = "fixtures/qemu-7.2/argument-types.json"
)

func main() {
	out, err := run(fullPath, typesPath)
	if err != nil {
		fmt.Fprintln(os.Stderr, "schematrim:", err)
		os.Exit(2)
	}
	os.Stdout.Write(out)
}

func run(fullPath, typesPath string) ([]byte, error) {
	full, err := os.ReadFile(fullPath)
	if err != nil {
		return nil, err
	}
	types, err := os.ReadFile(typesPath)
	if err != nil {
		return nil, err
	}
	return trim(full, types)
}

// entry is a SchemaInfo of QEMU, with our additions at the end.
type entry struct {
	Name     string    `json:"name"`
	MetaType string    `json:"meta-type"`
	ArgType  string    `json:"arg-type,omitempty"`
	AllowOOB bool      `json:"allow-oob,omitempty"`
	JSONType string    `json:"json-type,omitempty"`
	Element  string    `json:"element-type,omitempty"`
	Values   []string  `json:"values,omitempty"`
	Members  []member  `json:"members,omitempty"`
	Tag      string    `json:"tag,omitempty"`
	Variants []variant `json:"variants,omitempty"`

	Label     string `json:"label,omitempty"`     // of an alternate: its name
	Unchecked bool   `json:"unchecked,omitempty"` // of a command: takes any arguments
}

type member struct {
	Name     string `json:"name,omitempty"`
	Type     string `json:"type,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// UnmarshalJSON keeps whether there is a default: null, which means optional.
func (m *member) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	_, m.Optional = raw["default"]
	if err := json.Unmarshal(raw["type"], &m.Type); err != nil && raw["type"] != nil {
		return err
	}
	if raw["name"] == nil {
		return nil
	}
	return json.Unmarshal(raw["name"], &m.Name)
}

type variant struct {
	Case string `json:"case"`
	Type string `json:"type"`
}

// additions is what introspection does not tell.
type additions struct {
	Integers   map[string]string `json:"integers"`   // "type.member" to width
	Alternates map[string]string `json:"alternates"` // type to name
	Unchecked  []string          `json:"unchecked"`  // commands
}

func trim(full, types []byte) ([]byte, error) {
	var entries []entry
	if err := json.Unmarshal(full, &entries); err != nil {
		return nil, fmt.Errorf("%s: %w", fullPath, err)
	}
	var add additions
	if err := json.Unmarshal(types, &add); err != nil {
		return nil, fmt.Errorf("%s: %w", typesPath, err)
	}
	kept := reachable(entries)
	for i := range kept {
		add.apply(&kept[i])
	}
	return render(kept)
}

// reachable returns the commands and all types of their arguments: commands by
// name first, then types.
func reachable(entries []entry) []entry {
	byName := make(map[string]entry, len(entries))
	var open []string
	for _, e := range entries {
		byName[e.Name] = e
		if e.MetaType == "command" {
			open = append(open, e.Name)
		}
	}
	seen := make(map[string]bool)
	var kept []entry
	for len(open) > 0 {
		e := byName[open[0]]
		open = open[1:]
		if !seen[e.Name] {
			seen[e.Name] = true
			kept = append(kept, e)
			open = append(open, e.references()...)
		}
	}
	sort.Slice(kept, func(i, j int) bool {
		if c, d := kept[i].MetaType == "command", kept[j].MetaType == "command"; c != d {
			return c
		}
		return kept[i].Name < kept[j].Name
	})
	return kept
}

func (e entry) references() []string {
	var names []string
	for _, name := range []string{e.ArgType, e.Element} {
		if name != "" {
			names = append(names, name)
		}
	}
	if e.MetaType != "enum" {
		for _, m := range e.Members {
			names = append(names, m.Type)
		}
	}
	for _, v := range e.Variants {
		names = append(names, v.Type)
	}
	return names
}

// apply adds what introspection hides.
func (add additions) apply(e *entry) {
	e.Label = add.Alternates[e.Name]
	for _, name := range add.Unchecked {
		e.Unchecked = e.Unchecked || e.Name == name
	}
	switch e.MetaType {
	case "enum":
		e.Members = nil // the same as Values
	case "object":
		members := append([]member{}, e.Members...)
		for i, m := range members {
			if width := add.Integers[e.Name+"."+m.Name]; width != "" {
				members[i].Type = strings.Replace(m.Type, "int", width, 1)
			}
		}
		e.Members = members
	}
}

// render writes one entry per line.
func render(entries []entry) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("[\n")
	for i, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		out.Write(line)
		if i < len(entries)-1 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
	}
	out.WriteString("]\n")
	return out.Bytes(), nil
}
