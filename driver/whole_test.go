package driver

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestTheDriverImplementsEveryInterfaceOfThePublicLayer: no call answers NO_SUPPORT.
func TestTheDriverImplementsEveryInterfaceOfThePublicLayer(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../virt/driver.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	interfaces := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if _, ok := spec.Type.(*ast.InterfaceType); !ok {
			return false
		}
		interfaces++
		if spec.Name.Name != "Closer" && !strings.Contains(string(text), "_ virt."+spec.Name.Name+" ") {
			t.Errorf("the driver does not say that it is a virt.%s", spec.Name.Name)
		}
		return false
	})
	if interfaces < 50 {
		t.Errorf("only %d interfaces were found", interfaces)
	}
}
