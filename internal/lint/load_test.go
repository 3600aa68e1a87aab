package lint

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

const (
	module = "fleece"
	root   = "../.."
)

// finding is a broken rule.
type finding struct {
	pos  token.Position
	text string
}

func (f finding) String() string {
	if !f.pos.IsValid() {
		return f.text
	}
	return f.pos.String() + ": " + f.text
}

var loadOnce = sync.OnceValues(func() ([]*packages.Package, error) { return load(root, "./...") })

// load type-checks packages without their tests. What they import comes from the
// build cache, which is why a warm run is fast.
func load(dir string, patterns ...string) ([]*packages.Package, error) {
	return packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedTypesInfo,
		Dir: dir,
	}, patterns...)
}

// tree is every package of the module that builds; one that does not is an error of
// the test, since nothing can be said of it.
func tree(t *testing.T) []*packages.Package {
	t.Helper()
	all, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	var built []*packages.Package
	for _, p := range all {
		if len(p.Errors) > 0 {
			t.Errorf("%s does not build: %v", p.PkgPath, p.Errors[0])
			continue
		}
		built = append(built, p)
	}
	return built
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

// expect demands that the findings are, in order, ones that say the texts.
func expect(t *testing.T, found []finding, texts ...string) {
	t.Helper()
	for i := range max(len(found), len(texts)) {
		switch {
		case i >= len(found):
			t.Errorf("no finding says %q", texts[i])
		case i >= len(texts):
			t.Errorf("a finding too many: %v", found[i])
		case !strings.Contains(found[i].text, texts[i]):
			t.Errorf("finding %d is %v, want %q", i, found[i], texts[i])
		}
	}
}

// short is a package path without the module's name.
func short(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

// ours reports whether a package is one of the module.
func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// under reports whether a package is dir or below it.
func under(path, dir string) bool {
	s := short(path)
	return s == dir || strings.HasPrefix(s, dir+"/")
}

// imports are the packages that p imports, sorted.
func imports(p *packages.Package) []string {
	var paths []string
	for path := range p.Imports {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// fromRoot is the name of a file as seen from the module's directory.
func fromRoot(name string) string {
	abs, err := filepath.Abs(root)
	if err != nil {
		return name
	}
	if rel, err := filepath.Rel(abs, name); err == nil {
		return filepath.ToSlash(rel)
	}
	return name
}

// skipped are directories whose Go files are not held to the rules about texts:
// samples that break them on purpose, and what is not of this module.
var skipped = []string{"testdata", ".git", "tools", "bin"}

// goFiles lists every Go file of the module, tests included, with its text.
func goFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains(skipped, d.Name()) {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, ".go") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files[filepath.ToSlash(rel)], err = os.ReadFile(path)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// each walks all nodes of a package, file by file.
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
