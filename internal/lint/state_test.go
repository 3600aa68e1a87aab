package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"testing"

	"golang.org/x/tools/go/packages"
)

// tables are package-level variables that code in a world may have: immutable ones,
// by package and name, with the reason. They may not be written nor have their
// address taken.
var tables = map[string]string{
	"qmp.schemaQEMU72":        "an embedded file",
	"qmp.introspectionQEMU72": "an embedded file",
	"nbd.be":                  "the byte order of the wire, a value without fields",
	"qcow2.zeros":             "an array of zero bytes to write from",
	"qcow2.usageNames":        "an array of texts by number",
	"qmpfake/session.doing":   "an array of texts by number",
}

func TestCodeInAWorldHasNoPackageLevelState(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range tree(t) {
		if !inWorld(p.PkgPath) {
			continue
		}
		for _, v := range variables(p) {
			key := short(p.PkgPath) + "." + v.name
			seen[key] = true
			if !v.harmless && tables[key] == "" {
				t.Errorf("%v: package-level variable %s: a world must not see what another left behind; "+
					"an immutable table gets a row with its reason in internal/lint", v.pos, key)
			}
		}
		report(t, writes(p))
	}
	for key := range tables {
		if !seen[key] {
			t.Errorf("%s is no package-level variable: take the row out", key)
		}
	}
}

// variable is one package-level variable.
type variable struct {
	name     string
	pos      token.Position
	harmless bool // a compile-time assertion, or an error made by errors.New
}

// variables are all package-level variables of p, in order of files and lines.
func variables(p *packages.Package) []variable {
	var found []variable
	for _, f := range p.Syntax {
		for _, d := range f.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR {
				continue
			}
			for _, s := range decl.Specs {
				spec, ok := s.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for i, name := range spec.Names {
					found = append(found, variable{
						name: name.Name, pos: p.Fset.Position(name.Pos()),
						harmless: name.Name == "_" || len(spec.Values) == len(spec.Names) && isNewError(p, spec.Values[i]),
					})
				}
			}
		}
	}
	return found
}

// isNewError reports whether e is a call of errors.New.
func isNewError(p *packages.Package, e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	f, ok := p.TypesInfo.Uses[sel.Sel].(*types.Func)
	return ok && f.FullName() == "errors.New"
}

// writes finds assignments to package-level variables or through them, and their
// addresses.
func writes(p *packages.Package) []finding {
	var found []finding
	written := func(e ast.Expr) {
		id := base(p, e)
		if id == nil {
			return
		}
		v, ok := p.TypesInfo.Uses[id].(*types.Var)
		if ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
			found = append(found, finding{p.Fset.Position(id.Pos()), "package-level variable " + id.Name + " is written: a world must not see what another left behind"})
		}
	}
	each(p, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, l := range n.Lhs {
					written(l)
				}
			}
		case *ast.IncDecStmt:
			written(n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				written(n.X)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) && len(n.Args) > 0 {
				written(n.Args[0])
			}
		}
	})
	return found
}

// base is the variable that an expression selects from, if any.
func base(p *packages.Package, e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SelectorExpr:
			if id, ok := x.X.(*ast.Ident); ok {
				if _, ok := p.TypesInfo.Uses[id].(*types.PkgName); ok {
					return x.Sel // of another package
				}
			}
			e = x.X
		default:
			return nil
		}
	}
}

func TestPackageLevelStateIsFound(t *testing.T) {
	p := sample(t, "state")
	var bad []string
	for _, v := range variables(p) {
		if !v.harmless {
			bad = append(bad, v.name)
		}
	}
	if want := []string{"counter", "cache", "mu", "other", "wrapped"}; !slices.Equal(bad, want) {
		t.Errorf("found %v, want %v", bad, want)
	}
	expect(t, writes(p), "counter", "cache", "cache", "mu", "other")
}
