package snapshotdef

import (
	"testing"

	"fleece/driver/xmldoc"
	"fleece/internal/schemaoracle"
)

// corpusDocuments is how many documents are shown to both judges.
const corpusDocuments = 6000

func schemaSeeds() []string {
	doc := func(s string) string { return "<domainsnapshot>" + s + "</domainsnapshot>" }
	const domain = "<domain type='kvm'><name>vm</name><uuid>12345678-1234-1234-1234-123456789abc</uuid><memory unit='KiB'>1024</memory>" +
		"<os><type arch='x86_64'>hvm</type></os></domain>"
	return []string{
		doc(""),
		doc("<name>s1</name><description>some text</description><creationTime>1700000000</creationTime><state>disk-snapshot</state>"),
		doc("<memory snapshot='no'/><disks><disk name='vda' snapshot='external'><source file='/x'/><driver type='qcow2'/></disk></disks>"),
		doc("<memory file='/m'/><disks><disk name='/i/b' snapshot='no'/><disk name='vdb' snapshot='internal'/><disk name='vdc'/></disks><active>1</active>"),
		doc("<disks><disk name='vda' type='block'><driver type='qcow2'/><source dev='/dev/x'><seclabel relabel='no'/></source></disk></disks>"),
		doc("<disks><disk name='vda' type='file' snapshot='external'><source file='/x' startupPolicy='optional'><seclabel><label>l</label></seclabel>" +
			"<encryption format='luks'><secret type='passphrase' usage='u'/></encryption></source></disk></disks>"),
		doc("<disks><disk name='vda' type='network'><source protocol='nbd' name='e'><host name='h' port='10809'/></source></disk>" +
			"<disk name='vdb' type='network'><source protocol='gluster' name='v/i'><host transport='unix' socket='/s'/></source><driver type='qcow2'/></disk></disks>"),
		doc("<parent><name>s0</name></parent><name>s1</name>" + domain + "<cookie/>"),
		doc("<domain><uuid>12345678-1234-1234-1234-123456789abc</uuid></domain><memory snapshot='internal'/>"),
	}
}

func schemaVerdict(text string) (schemaoracle.Verdict, error) {
	root, err := xmldoc.Parse("domain_snapshot", text)
	if err != nil {
		return schemaoracle.Malformed, err
	}
	if root.Name != "domainsnapshot" {
		return schemaoracle.Invalid, nil
	}
	if err := checkGrammar(root); err != nil {
		return schemaoracle.Invalid, err
	}
	return schemaoracle.Valid, nil
}

// There is no relaxation. What is in a <domain> with more than a UUID, and in
// <inactiveDomain>, is not compared: the parser of domain definitions judges it.
func TestTheGrammarIsThatOfLibvirtsSchema(t *testing.T) {
	documents := schemaoracle.Corpus(corpusDocuments, schemaSeeds(), "domain", "inactiveDomain", "cookie")
	count := make(map[schemaoracle.Verdict]int)
	for i, want := range schemaoracle.Judge(t, "domainsnapshot.rng", documents) {
		count[want]++
		if got, err := schemaVerdict(documents[i]); got != want {
			t.Errorf("xmllint says %s, the parser %s (%v):\n%s", want, got, err, documents[i])
		}
	}
	t.Log(count)
}
