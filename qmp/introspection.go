package qmp

import (
	_ "embed"
	"fmt"
)

// introspectionQEMU72 is what QEMU 7.2 answers to query-qmp-schema.
//
//go:embed introspection_qemu72.json
var introspectionQEMU72 []byte

// Introspection is the result of query-qmp-schema: every command, event and type of
// QEMU 7.2. It is read anew at each call, which takes some milliseconds.
func Introspection() (Value, error) {
	v, err := Decode(introspectionQEMU72)
	if err != nil {
		return v, fmt.Errorf("qmp introspection: %w", err)
	}
	return v, nil
}
