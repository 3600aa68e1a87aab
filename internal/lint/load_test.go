package lint

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

const module = "fleece"

// finding is a broken rule.
type finding struct {
	pos  token.Position
	text string
}

func (f finding) String() string { return f.pos.String() + ": " + f.text }

var loadOnce = sync.OnceValues(func() ([]*packages.Package, error) {
	return load("../..", "./...")
})

// load type-checks packages without their tests.
func load(dir string, patterns ...string) ([]*packages.Package, error) {
	return packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps | packages.NeedModule,
		Dir: dir,
	}, patterns...)
}

// tree is every package of the module.
func tree(t *testing.T) []*packages.Package {
	t.Helper()
	pkgs, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		for _, e := range p.Errors {
			t.Fatalf("%s does not build: %v", p.PkgPath, e)
		}
	}
	return pkgs
}

// sample is one package of testdata.
func sample(t *testing.T, name string) *packages.Package {
	t.Helper()
	pkgs, err := load(".", "./testdata/"+name)
	if err != nil || len(pkgs) != 1 || len(pkgs[0].Errors) > 0 {
		t.Fatalf("testdata/%s: %v %v", name, err, pkgs)
	}
	return pkgs[0]
}

// report fails the test with all findings.
func report(t *testing.T, found []finding) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}

// expect demands that each text is part of some finding, and that there are as
// many findings as texts.
func expect(t *testing.T, found []finding, texts ...string) {
	t.Helper()
	for _, text := range texts {
		ok := false
		for _, f := range found {
			ok = ok || strings.Contains(f.text, text)
		}
		if !ok {
			t.Errorf("no finding says %q; findings: %v", text, found)
		}
	}
	if len(found) < len(texts) {
		t.Errorf("%d findings for %d mistakes: %v", len(found), len(texts), found)
	}
}

// short is a package path without the module's name.
func short(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

// under reports whether a package is dir or below it.
func under(path, dir string) bool {
	s := short(path)
	return s == dir || strings.HasPrefix(s, dir+"/")
}

// goFiles lists every Go file of the module, tests included.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "tools" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			files = append(files, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// each walks all nodes of a package.
func each(p *packages.Package, visit func(n ast.Node)) {
	for _, f := range p.Syntax {
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil {
				visit(n)
			}
			return true
		})
	}
}
