package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// direction says what of the module a package, with what is below it, may import.
type direction struct {
	from string
	may  []string
	why  string
}

// anything is the may of a row without a limit.
const anything = ""

// directions is the architecture's picture of imports. The first row that a package
// is under holds.
var directions = []direction{
	{"rt", []string{"rt"}, "the runtime seam is below everything"},
	{"qcow2", []string{"qcow2"}, "a format knows nothing of who uses it"},
	{"host", []string{"host", "rt"}, "the host seam knows only the runtime"},
	{"qmp", []string{"qmp", "rt"}, "the protocol knows neither a driver nor a QEMU"},
	{"nbd", []string{"nbd", "rt"}, "the protocol knows neither a server's QEMU nor a client's purpose"},
	{"machine", []string{"qmp"}, "the joint between driver and QEMUs knows neither"},
	{"virt", []string{"rt"}, "the public layer knows no driver"},
	{"driver", []string{"driver", "virt", "qmp", "machine", "host", "rt"}, "the driver knows neither sim nor real, so that it cannot be kinder to one"},
	{"sim", []string{"sim", "qmp", "nbd", "qcow2", "machine", "host", "rt"}, "the simulator knows no driver"},
	{"qmpfake", []string{"qmpfake", "sim", "qmp", "nbd", "qcow2", "machine", "host", "rt"}, "the server is the simulator's front"},
	{"real", []string{"real", "qmp", "machine", "host", "rt"}, "a real QEMU knows no driver and no simulator"},
	{"explore", []string{"explore", "rt"}, "strategies know nothing of what they run"},
	{"conformance/oracle", []string{"conformance/oracle"}, "the judge sees bytes, never objects"},
	{"conformance/catalogue", []string{"conformance/catalogue"}, "what is promised does not depend on who proves it"},
	{"conformance/linear", []string{"conformance/linear", "virt"}, "the model of a domain knows no domain"},
	{"conformance/specs", []string{"conformance", "virt", "qmp"}, "a spec body uses only what T hands out"},
	{"conformance", []string{"conformance", "explore", "driver", "virt", "sim", "qmpfake", "real", "qmp", "nbd", "qcow2", "machine", "host", "rt"}, "the harness knows both sides, not the command line"},
	{"internal", []string{anything}, "development tools may use anything"},
	{"cmd", []string{anything}, "the command line is on top"},
}

// libraries are the packages of other modules that code in a world may import.
var libraries = []struct{ path, why string }{
	{"github.com/tidwall/btree", "ordered maps; used without its locks and without ranging at random"},
	{"github.com/onsi/gomega", "matchers only, which are pure; the waiting ones are banned"},
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range tree(t) {
		report(t, wrongImports(p))
	}
}

func TestCodeInAWorldUsesListedLibrariesOnly(t *testing.T) {
	for _, p := range tree(t) {
		if inWorld(p.PkgPath) {
			report(t, strangers(p))
		}
	}
}

func wrongImports(p *packages.Package) []finding {
	i := slices.IndexFunc(directions, func(d direction) bool { return under(p.PkgPath, d.from) })
	if i < 0 {
		return []finding{{text: p.PkgPath + ": no row says what it may import; add one with the reason"}}
	}
	d := directions[i]
	var found []finding
	for _, path := range imports(p) {
		if ours(path) && !slices.ContainsFunc(d.may, func(m string) bool { return m == anything || under(path, m) }) {
			found = append(found, finding{text: fmt.Sprintf("%s imports %s: %s", p.PkgPath, path, d.why)})
		}
	}
	return found
}

// strangers are imports of other modules that are in no row of libraries. Only a
// module's path has a dot in its first element.
func strangers(p *packages.Package) []finding {
	var found []finding
	for _, path := range imports(p) {
		first, _, _ := strings.Cut(path, "/")
		listed := false
		for _, l := range libraries {
			listed = listed || path == l.path || strings.HasPrefix(path, l.path+"/")
		}
		if strings.Contains(first, ".") && !listed {
			found = append(found, finding{text: fmt.Sprintf("%s imports %s: a library in a world may hide goroutines, clocks and random order; add a row that says why it does not", p.PkgPath, path)})
		}
	}
	return found
}

func TestAWrongImportIsFound(t *testing.T) {
	p := sample(t, "imports")
	p.PkgPath = module + "/qcow2"
	expect(t, wrongImports(p), "a format knows nothing")
	p.PkgPath = module + "/driver/sub"
	expect(t, wrongImports(p))
	p.PkgPath = module + "/newcomer"
	expect(t, wrongImports(p), "no row says")
	// A name that only begins like a listed one is not under it.
	p.PkgPath = module + "/driverless"
	expect(t, wrongImports(p), "no row says")
}

func TestAStrangeLibraryIsFound(t *testing.T) {
	p := sample(t, "imports")
	expect(t, strangers(p))
	p.Imports["example.org/x"] = p
	expect(t, strangers(p), "may hide goroutines")
}
