package checkpointdef

import (
	"errors"
	"testing"

	"fleece/internal/schemaoracle"
	"fleece/virt"
)

// corpusDocuments is how many documents are shown to both judges.
const corpusDocuments = 6000

func seeds() []string {
	const domain = "<domain type='kvm' id='3'><name>vm</name><memory unit='KiB'>1024</memory><os><type arch='x86_64'>hvm</type></os>" +
		"<devices><disk type='file' device='disk'><source file='/i/a'/><target dev='vda' bus='virtio'/></disk></devices></domain>"
	return []string{
		"<domaincheckpoint/>",
		doc("<name>c1</name>"),
		doc("<name>c-1_.x</name><description>some text</description>"),
		doc("<creationTime>1700000000</creationTime><parent><name>c0</name></parent><name>c1</name>"),
		doc("<disks><disk name='vda' checkpoint='bitmap' bitmap='c1' size='65536'/><disk name='/i/b' checkpoint='no'/></disks>"),
		doc("<disks><disk name='vda'/><disk name='vdb' bitmap='b'/><disk name='hda' checkpoint='bitmap'/></disks><name>c</name>"),
		doc("<name>c1</name><disks><disk name='vda' checkpoint='no'/></disks>" + domain + "<parent><name>p</name></parent>"),
	}
}

func verdict(text string) schemaoracle.Verdict {
	_, _, _, err := grammar(text)
	switch {
	case errors.Is(err, virt.ERR_XML_DETAIL):
		return schemaoracle.Malformed
	case err != nil:
		return schemaoracle.Invalid
	}
	return schemaoracle.Valid
}

// There is no relaxation. What is in <domain> is not compared: the parser of domain
// definitions judges it, and only where it matters, in a redefinition (E216).
func TestTheGrammarIsThatOfLibvirtsSchema(t *testing.T) {
	documents := schemaoracle.Corpus(corpusDocuments, seeds(), "domain")
	count := make(map[schemaoracle.Verdict]int)
	for i, want := range schemaoracle.Judge(t, "domaincheckpoint.rng", documents) {
		count[want]++
		if got := verdict(documents[i]); got != want {
			_, err := ParseNew(documents[i], 7)
			t.Errorf("xmllint says %s, the parser %s (%v):\n%s", want, got, err, documents[i])
		}
	}
	t.Log(count)
}
