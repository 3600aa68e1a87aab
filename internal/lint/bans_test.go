package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// world lists the packages whose code runs in a world. Those below them count
// too, unless they are listed in outside.
var world = []string{
	"driver", "sim", "qmp", "qmpfake", "machine", "virt", "host", "conformance/specs",
}

// outside lists packages and files below those that never run in a simulated
// world, each with the reason.
var outside = []struct{ path, why string }{
	{"host/oshost", "the real file system"},
	{"host/hosttest", "test kit, runs under go test"},
	{"qmp/goqemu", "adapts a library that is made of goroutines and channels"},
	{"qmp/qmpnet", "real sockets"},
}

// banned are packages and functions that code in a world may not use.
var banned = []struct{ path, why string }{
	{"sync", "use rt.Mutex and rt.Cond: the scheduler must see every wait"},
	{"sync/atomic", "use rt.Mutex: the scheduler must see every exchange"},
	{"context", "use rt time-outs: a context's timer is not the world's"},
	{"math/rand", "use rt.Runtime.Choose: a decision must be in the trace"},
	{"math/rand/v2", "use rt.Runtime.Choose: a decision must be in the trace"},
	{"os", "use package host: files belong to the world's host"},
	{"net", "use qmp.Conn: sockets belong to the world"},
	{"time.Now", "use rt.Runtime.Now: the clock is the world's"},
	{"time.Since", "use rt.Runtime.Now: the clock is the world's"},
	{"time.Until", "use rt.Runtime.Now: the clock is the world's"},
	{"time.Sleep", "use rt.Runtime.Sleep: the clock is the world's"},
	{"time.After", "use rt.Cond.WaitUntil: the clock is the world's"},
	{"time.AfterFunc", "use rt.Runtime.Go and Sleep: the clock is the world's"},
	{"time.Tick", "use rt.Runtime.Sleep: the clock is the world's"},
	{"time.NewTimer", "use rt.Cond.WaitUntil: the clock is the world's"},
	{"time.NewTicker", "use rt.Runtime.Sleep: the clock is the world's"},
}

func TestCodeInAWorldUsesTheRuntimeSeamOnly(t *testing.T) {
	for _, p := range tree(t) {
		if inWorld(p.PkgPath) {
			report(t, bans(p))
		}
	}
}

func inWorld(path string) bool {
	for _, o := range outside {
		if under(path, o.path) {
			return false
		}
	}
	for _, w := range world {
		if under(path, w) {
			return true
		}
	}
	return false
}

// bans finds everything that escapes the scheduler.
func bans(p *packages.Package) []finding {
	b := &banFinder{p: p}
	each(p, b.visit)
	return b.found
}

type banFinder struct {
	p     *packages.Package
	found []finding
}

func (b *banFinder) add(pos token.Pos, format string, args ...any) {
	b.found = append(b.found, finding{b.p.Fset.Position(pos), fmt.Sprintf(format, args...)})
}

func (b *banFinder) visit(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		b.add(n.Pos(), "go statement: use rt.Runtime.Go, so that the task has a name and can be killed")
	case *ast.SelectStmt:
		b.add(n.Pos(), "select: use rt.Cond; its choice is not in the trace")
	case *ast.ChanType:
		b.add(n.Pos(), "channel: use rt.Mutex and rt.Cond: the scheduler must see every wait")
	case *ast.RangeStmt:
		b.overMap(n)
	case *ast.Ident:
		b.use(n)
	case *ast.CallExpr:
		b.call(n)
	case *ast.BasicLit:
		if n.Kind == token.STRING && strings.Contains(n.Value, "%p") {
			b.add(n.Pos(), "%%p: pointers differ from run to run")
		}
	}
}

func (b *banFinder) overMap(n *ast.RangeStmt) {
	if tv, ok := b.p.TypesInfo.Types[n.X]; ok {
		if _, isMap := tv.Type.Underlying().(*types.Map); isMap {
			b.add(n.Pos(), "range over a map: its order differs from run to run; keep a sorted slice")
		}
	}
}

func (b *banFinder) use(n *ast.Ident) {
	obj := b.p.TypesInfo.Uses[n]
	if obj == nil || obj.Pkg() == nil {
		return
	}
	path := obj.Pkg().Path()
	for _, ban := range banned {
		if path == ban.path || (path+"."+obj.Name() == ban.path && isFunc(obj)) {
			b.add(n.Pos(), "%s.%s: %s", path, obj.Name(), ban.why)
		}
	}
}

func isFunc(obj types.Object) bool {
	f, ok := obj.(*types.Func)
	return ok && f.Signature().Recv() == nil
}

func (b *banFinder) call(n *ast.CallExpr) {
	id, ok := n.Fun.(*ast.Ident)
	if !ok {
		return
	}
	if builtin, ok := b.p.TypesInfo.Uses[id].(*types.Builtin); ok && builtin.Name() == "recover" {
		b.add(n.Pos(), "recover: a killed task unwinds by a panic that nobody may stop")
	}
}

func TestEveryBanIsFound(t *testing.T) {
	expect(t, bans(sample(t, "bans")),
		"go statement", "select", "channel", "range over a map", "sync.Mutex", "context.Background",
		"math/rand.Int", "time.Now", "time.Sleep", "os.Getpid", "recover", "%p")
}

// stateAllowed are package-level variables of world packages that may be there:
// immutable tables and embedded data, by package and name.
var stateAllowed = map[string]string{
	"qmp.schemaJSON": "embedded file, never written",
}

func TestCodeInAWorldHasNoPackageLevelState(t *testing.T) {
	for _, p := range tree(t) {
		if inWorld(p.PkgPath) {
			report(t, packageState(p))
		}
	}
}

// packageState finds package-level variables that are written after their
// declaration, or whose type has a lock or is a pointer or map that somebody may
// write through.
func packageState(p *packages.Package) []finding {
	declared := make(map[types.Object]bool)
	scope := p.Types.Scope()
	for _, name := range scope.Names() {
		if v, ok := scope.Lookup(name).(*types.Var); ok {
			declared[v] = true
		}
	}
	var found []finding
	seen := make(map[types.Object]bool)
	written := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
				continue
			case *ast.SelectorExpr:
				e = x.X
				continue
			case *ast.StarExpr:
				e = x.X
				continue
			case *ast.Ident:
				obj := p.TypesInfo.Uses[x]
				if obj != nil && declared[obj] && !seen[obj] && stateAllowed[short(p.PkgPath)+"."+obj.Name()] == "" {
					seen[obj] = true
					found = append(found, finding{p.Fset.Position(x.Pos()), "package-level variable " + obj.Name() + " is written: a world must not see what another left behind"})
				}
			}
			return
		}
	}
	each(p, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				written(l)
			}
		case *ast.IncDecStmt:
			written(n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				written(n.X)
			}
		}
	})
	return found
}

func TestPackageLevelStateIsFound(t *testing.T) {
	expect(t, packageState(sample(t, "bans")), "counter")
}
