package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// banned are packages, with what is below them, and functions or variables that
// code in a world may not use.
var banned = []struct{ path, why string }{
	{"sync", "use rt.Mutex and rt.Cond: the scheduler must see every wait and every exchange"},
	{"context", "use rt time-outs: a context's timer is not the world's"},
	{"iter.Pull", "use rt.Runtime.Go: a coroutine is a task that the scheduler does not know"},
	{"iter.Pull2", "use rt.Runtime.Go: a coroutine is a task that the scheduler does not know"},
	{"math/rand", "use rt.Runtime.Choose: a decision must be in the trace"},
	{"crypto/rand", "use rt.Runtime.Choose: a decision must be in the trace"},
	{"hash/maphash", "its seed differs from run to run; use hash/fnv"},
	{"os", "use package host: files belong to the world's host"},
	{"net", "use qmp.Conn: sockets belong to the world"},
	{"runtime", "what it tells of goroutines and memory differs from run to run"},
	{"unsafe", "addresses differ from run to run"},
	{"log", "use rt.Runtime.Note: a line belongs into the trace"},
	{"maps.Keys", "its order differs from run to run; wrap it in slices.Sorted"},
	{"maps.Values", "its order differs from run to run; keep a sorted slice"},
	{"maps.All", "its order differs from run to run; keep a sorted slice"},
	{"github.com/onsi/gomega.Eventually", "use T.Await: its timer is not the world's"},
	{"github.com/onsi/gomega.Consistently", "use T.Await: its timer is not the world's"},
	{"time.Now", "use rt.Runtime.Now: the clock is the world's"},
	{"time.Since", "use rt.Runtime.Now: the clock is the world's"},
	{"time.Until", "use rt.Runtime.Now: the clock is the world's"},
	{"time.Sleep", "use rt.Runtime.Sleep: the clock is the world's"},
	{"time.After", "use rt.Cond.WaitUntil: the clock is the world's"},
	{"time.AfterFunc", "use rt.Runtime.Go and Sleep: the clock is the world's"},
	{"time.Tick", "use rt.Runtime.Sleep: the clock is the world's"},
	{"time.NewTimer", "use rt.Cond.WaitUntil: the clock is the world's"},
	{"time.NewTicker", "use rt.Runtime.Sleep: the clock is the world's"},
	{"time.Local", "use time.UTC: the time zone is the machine's"},
	{"time.LoadLocation", "use time.UTC: the data are the machine's"},
}

func TestCodeInAWorldUsesTheRuntimeSeamOnly(t *testing.T) {
	for _, p := range tree(t) {
		if inWorld(p.PkgPath) {
			report(t, withoutExcused(bans(p)))
		}
	}
}

// withoutExcused drops what the tables of exceptions name.
func withoutExcused(found []finding) []finding {
	var kept []finding
	for _, f := range found {
		file := fromRoot(f.pos.Filename)
		use, _, _ := strings.Cut(f.text, ": ")
		ok := fileOutside(file)
		for _, x := range excused {
			ok = ok || x.file == file && x.use == use
		}
		if !ok {
			kept = append(kept, f)
		}
	}
	return kept
}

// bans finds everything that escapes the scheduler, in order of files and lines.
func bans(p *packages.Package) []finding {
	b := &banFinder{p: p, sorted: make(map[*ast.Ident]bool)}
	each(p, b.visit)
	return b.found
}

type banFinder struct {
	p      *packages.Package
	sorted map[*ast.Ident]bool // names of maps.Keys within slices.Sorted
	found  []finding
}

func (b *banFinder) add(pos token.Pos, format string, args ...any) {
	b.found = append(b.found, finding{b.p.Fset.Position(pos), fmt.Sprintf(format, args...)})
}

const channelReason = "channel: use rt.Mutex and rt.Cond: the scheduler must see every wait"

func (b *banFinder) visit(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		b.add(n.Pos(), "go statement: use rt.Runtime.Go, so that the task has a name and can be killed")
	case *ast.SelectStmt:
		b.add(n.Pos(), "select: use rt.Cond; which case runs is not in the trace")
	case *ast.ChanType, *ast.SendStmt:
		b.add(n.Pos(), channelReason)
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			b.add(n.Pos(), channelReason)
		}
	case *ast.RangeStmt:
		b.ranges(n)
	case *ast.Ident:
		b.use(n)
	case *ast.CallExpr:
		b.call(n)
	case *ast.BasicLit:
		if n.Kind == token.STRING && pointerVerb.MatchString(n.Value) {
			b.add(n.Pos(), "%%p: pointers differ from run to run")
		}
	}
}

// pointerVerb is a formatting verb %p, with flags and width.
var pointerVerb = regexp.MustCompile(`(?:^|[^%])(?:%%)*%[-+# 0]*[0-9.*]*p`)

func (b *banFinder) ranges(n *ast.RangeStmt) {
	tv, ok := b.p.TypesInfo.Types[n.X]
	if !ok {
		return
	}
	switch core(tv.Type).(type) {
	case *types.Map:
		b.add(n.Pos(), "range over a map: its order differs from run to run; keep a sorted slice")
	case *types.Chan:
		b.add(n.Pos(), channelReason)
	}
}

// core is the type that a range statement ranges over; of a type parameter, the
// type of the first term of its constraint.
func core(t types.Type) types.Type {
	u := t.Underlying()
	i, ok := u.(*types.Interface)
	if !ok || i.NumEmbeddeds() == 0 {
		return u
	}
	if union, ok := i.EmbeddedType(0).(*types.Union); ok && union.Len() > 0 {
		return union.Term(0).Type().Underlying()
	}
	return i.EmbeddedType(0).Underlying()
}

func (b *banFinder) use(n *ast.Ident) {
	obj := b.p.TypesInfo.Uses[n]
	if obj == nil || obj.Pkg() == nil || b.sorted[n] {
		return
	}
	if _, isName := obj.(*types.PkgName); isName {
		return // what is taken from the package is reported
	}
	path := obj.Pkg().Path()
	if _, isFunc := obj.(*types.Func); isFunc && topLevel(obj) && (path == "syscall" || strings.HasPrefix(path, "golang.org/x/sys/")) {
		b.add(n.Pos(), "%s.%s: use package host: the kernel is the world's; its error numbers are fine", path, obj.Name())
		return
	}
	for _, ban := range banned {
		whole := path == ban.path || strings.HasPrefix(path, ban.path+"/")
		if whole || path+"."+obj.Name() == ban.path && topLevel(obj) {
			b.add(n.Pos(), "%s.%s: %s", path, obj.Name(), ban.why)
			return
		}
	}
}

// topLevel reports whether obj is a package's own, not a method or a field.
func topLevel(obj types.Object) bool { return obj.Parent() == obj.Pkg().Scope() }

func (b *banFinder) call(n *ast.CallExpr) {
	switch fun := ast.Unparen(n.Fun).(type) {
	case *ast.Ident:
		if builtin, ok := b.p.TypesInfo.Uses[fun].(*types.Builtin); ok && builtin.Name() == "recover" {
			b.add(n.Pos(), "recover: a killed task unwinds by a panic that nobody may stop")
		}
	case *ast.SelectorExpr:
		b.method(fun)
		if len(n.Args) > 0 && b.is(fun, "slices", "Sorted") {
			if arg, ok := n.Args[0].(*ast.CallExpr); ok {
				if keys, ok := arg.Fun.(*ast.SelectorExpr); ok && b.is(keys, "maps", "Keys") {
					b.sorted[keys.Sel] = true
				}
			}
		}
	}
}

// method finds methods whose answer is not the world's.
func (b *banFinder) method(fun *ast.SelectorExpr) {
	f, ok := b.p.TypesInfo.Uses[fun.Sel].(*types.Func)
	if !ok {
		return
	}
	switch f.FullName() {
	case "(time.Time).Local":
		b.add(fun.Pos(), "time.Time.Local: use UTC: the time zone is the machine's")
	case "(reflect.Value).MapKeys", "(reflect.Value).MapRange":
		b.add(fun.Pos(), "reflect.%s: its order differs from run to run", f.Name())
	}
}

func (b *banFinder) is(fun *ast.SelectorExpr, pkg, name string) bool {
	f, ok := b.p.TypesInfo.Uses[fun.Sel].(*types.Func)
	return ok && f.Pkg() != nil && f.Pkg().Path() == pkg && f.Name() == name
}

func TestEveryBanIsFoundAndNothingElse(t *testing.T) {
	expect(t, bans(sample(t, "bans")),
		"channel", // the parameter of All
		"go statement", "recover", "select", "channel", "channel", "channel",
		"range over a map", "%p",
		"sync.Mutex", "sync.Lock", "sync/atomic.AddInt64", "context.Background", "iter.Pull",
		"math/rand.Int", "math/rand/v2.Int", "crypto/rand.Reader", "hash/maphash.MakeSeed",
		"time.Now", "time.Sleep", "time.After", "time.Local", "time.Time.Local",
		"os.Getpid", "os/exec.Command", "net.Dial", "runtime.NumGoroutine", "log.Print",
		"syscall.Getpid", "reflect.MapKeys", "maps.Values", "maps.Keys",
		"range over a map") // in Generic
}

func TestWhatOnlyLooksLikeABrokenBanIsNotFound(t *testing.T) {
	p := sample(t, "allowed")
	expect(t, bans(p))
	expect(t, writes(p))
	for _, v := range variables(p) {
		if !v.harmless {
			t.Errorf("%s is found", v.name)
		}
	}
}
