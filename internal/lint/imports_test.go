package lint

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// direction says what of the module a package (and those below it) may import.
type direction struct {
	from string
	may  []string
	why  string
}

// directions is the architecture's picture of imports. The first row whose from
// matches holds.
var directions = []direction{
	{"rt", []string{"rt"}, "the runtime seam is below everything"},
	{"qcow2", nil, "a format knows nothing of who uses it"},
	{"host", []string{"host", "rt"}, "the host seam knows only the runtime"},
	{"qmp", []string{"qmp", "rt"}, "the protocol knows neither a driver nor a QEMU"},
	{"machine", []string{"qmp", "rt"}, "the joint between driver and QEMUs knows neither"},
	{"virt", []string{"rt"}, "the public layer knows no driver"},
	{"driver", []string{"driver", "virt", "qmp", "machine", "host", "rt"}, "the driver knows neither sim nor real, so that it cannot be kinder to one"},
	{"sim", []string{"sim", "qmp", "nbd", "qcow2", "machine", "host", "rt"}, "the simulator knows no driver"},
	{"qmpfake", []string{"qmpfake", "sim", "qmp", "machine", "host", "rt"}, "the server is the simulator's front"},
	{"real", []string{"real", "qmp", "machine", "host", "rt"}, "a real QEMU knows no driver and no simulator"},
	{"explore", []string{"explore", "rt"}, "strategies know nothing of what they run"},
	{"conformance/oracle", []string{"conformance/oracle"}, "the judge sees bytes, never objects"},
	{"conformance/specs", []string{"conformance", "virt", "qmp"}, "a spec body uses only what T hands out"},
	{"conformance", []string{"conformance", "explore", "driver", "virt", "sim", "qmpfake", "real", "qmp", "nbd", "qcow2", "machine", "host", "rt"}, "the harness knows both sides, not the command line"},
	{"internal", []string{""}, "development tools may use anything"},
	{"cmd", []string{""}, "the command line is on top"},
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range tree(t) {
		report(t, wrongImports(p))
	}
}

func wrongImports(p *packages.Package) []finding {
	var found []finding
	for _, d := range directions {
		if !under(p.PkgPath, d.from) {
			continue
		}
		for path := range p.Imports {
			if (path == module || strings.HasPrefix(path, module+"/")) && !allowed(path, d.may) {
				found = append(found, finding{text: fmt.Sprintf("%s imports %s: %s", p.PkgPath, path, d.why)})
			}
		}
		return found
	}
	return append(found, finding{text: p.PkgPath + ": no rule says what it may import; add a row with the reason"})
}

func allowed(path string, may []string) bool {
	for _, m := range may {
		if m == "" || under(path, m) {
			return true
		}
	}
	return false
}

func TestAWrongImportIsFound(t *testing.T) {
	p := sample(t, "imports")
	p.PkgPath = module + "/qcow2"
	expect(t, wrongImports(p), "a format knows nothing")
	p.PkgPath = module + "/newcomer"
	expect(t, wrongImports(p), "no rule says")
}

func TestEveryPackageHasADocumentation(t *testing.T) {
	for _, p := range tree(t) {
		report(t, missingDoc(p))
	}
}

// docSentencesMin: what it is, what it is not, the property it keeps.
const docSentencesMin = 3

func missingDoc(p *packages.Package) []finding {
	var doc string
	for _, f := range p.Syntax {
		if f.Doc != nil {
			doc += f.Doc.Text()
		}
	}
	if strings.Count(doc, ".\n")+strings.Count(doc, ". ") < docSentencesMin {
		return []finding{{text: p.PkgPath + ": the package doc must say what it is, what it is not, and the property it keeps"}}
	}
	return nil
}

func TestAMissingDocumentationIsFound(t *testing.T) {
	expect(t, missingDoc(sample(t, "imports")), "package doc must say")
}
