package lint

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// docSentencesMin: what it is, what it is not, the property it keeps.
const docSentencesMin = 3

func TestEveryPackageHasADocumentation(t *testing.T) {
	for _, p := range tree(t) {
		report(t, missingDoc(p))
	}
}

// sentenceEnd is a full stop, a colon or the like before a space or the end.
var sentenceEnd = regexp.MustCompile(`[.!?:;](\s|$)`)

// missingDoc finds a package whose documentation has too few sentences. Indented
// lines are code and do not count.
func missingDoc(p *packages.Package) []finding {
	sentences := 0
	for _, f := range p.Syntax {
		if f.Doc == nil {
			continue
		}
		var prose strings.Builder
		for line := range strings.Lines(f.Doc.Text()) {
			if !strings.HasPrefix(line, "\t") {
				prose.WriteString(line)
			}
		}
		sentences += len(sentenceEnd.FindAllString(prose.String(), -1))
	}
	if sentences < docSentencesMin {
		return []finding{{text: fmt.Sprintf("%s: the package doc has %d sentences; it says what the package is, what it is not, and the property it keeps", p.PkgPath, sentences)}}
	}
	return nil
}

func TestAMissingDocumentationIsFound(t *testing.T) {
	expect(t, missingDoc(sample(t, "imports")), "has 0 sentences")
	expect(t, missingDoc(sample(t, "bans")), "has 1 sentences")
}
