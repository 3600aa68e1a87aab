package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

const root = "../../"

func TestEmbeddedSchema_IsWhatTrimMakesOfTheFullOne(t *testing.T) {
	want, err := run(root+fullPath, root+typesPath)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(root + "qmp/schema_qemu72.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("qmp/schema_qemu72.json is out of date: go run ./qmp/schematrim > qmp/schema_qemu72.json")
	}
}

func TestTrim_RefusesWhatIsNoSchema(t *testing.T) {
	for _, c := range []struct{ name, full, types, want string }{
		{"a broken schema", "[", "{}", fullPath},
		{"broken additions", "[]", "{", typesPath},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := trim([]byte(c.full), []byte(c.types)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %s", err, c.want)
			}
		})
	}
}
