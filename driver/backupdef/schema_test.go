package backupdef

import (
	"errors"
	"testing"

	"fleece/internal/schemaoracle"
	"fleece/virt"
)

// corpusDocuments is how many documents are shown to both judges.
const corpusDocuments = 6000

// relaxations are all the ways in which a document may be taken that libvirt's schema
// refuses.
var relaxations = []struct {
	bit    relaxation
	reason string
}{
	{serverLeftOut, "a pull backup without <server>: one on this host is chosen (PUL-05, contract row 13)"},
	{typeLeftOut, "<disk name= backup=> without more: a file beside the disk's (contract row 13)"},
	{scratchLeftOut, "a pull disk with <driver> or type but no <scratch>: its name is made (contract row 13)"},
	{networkTarget, "type='network': a push into an NBD server (BEG-17, contract row 15)"},
}

// seeds are valid but for the one with a network target.
func seeds() []string {
	return []string{
		"<domainbackup/>",
		"<domainbackup mode='push'><incremental>c1</incremental></domainbackup>",
		disks("<disk name='vda' backup='yes' type='file'><driver type='raw'/><target file='/x'><seclabel model='dac' relabel='no'/>" +
			"<seclabel relabel='yes'><label>l</label></seclabel><seclabel labelskip='yes'/></target></disk><disk name='vdb' backup='no' backupmode='full'/>"),
		disks("<disk name='vda' type='block' backupmode='incremental' incremental='c1'><target dev='/dev/x'><encryption format='luks' engine='qemu'>" +
			"<secret type='passphrase' uuid='12345678-1234-1234-1234-123456789abc'/><cipher name='aes' size='256' mode='xts' hash='sha'/><ivgen name='plain' hash='sha'/></encryption></target></disk>"),
		disks("<disk name='vda' type='file'/><disk name='ioemu:hda' type='block'/>"),
		disks("<disk name='vda' type='file'/><disk name='vdb' backup='no'/>"),
		pull("<disk name='vda' exportname='e' exportbitmap='b'><scratch file='/x'/></disk><disk name='sdb'/><disk name='vdc' backup='no' exportname='e'/>"),
		pull("<disk name='vda' backup='yes' type='file'><driver type='qcow2'/><scratch file='/x'><encryption format='luks'><secret type='passphrase' usage='u'/></encryption></scratch></disk>" +
			"<disk name='vdb' type='block' backupmode='full'><scratch dev='/dev/y'><seclabel><label>a</label><label>b</label></seclabel></scratch></disk>"),
		"<domainbackup mode='pull'><server transport='tcp' name='::1' port='10809' tls='yes'/><incremental>c</incremental></domainbackup>",
		disks("<disk name='vda' type='network'><driver type='raw'/><target protocol='nbd' name='e'><host name='h' port='1'/></target></disk>"),
		"<domainbackup mode='pull'><server transport='unix' socket='/s' tls='no'/><disks><disk name='vda' backupmode='incremental'/></disks></domainbackup>",
	}
}

// verdict is that of the grammar, the relaxations undone.
func verdict(text string) (schemaoracle.Verdict, relaxation) {
	p, _, err := grammar(text)
	switch {
	case errors.Is(err, virt.ERR_XML_DETAIL):
		return schemaoracle.Malformed, 0
	case err != nil:
		return schemaoracle.Invalid, 0
	case p.relaxed != 0:
		return schemaoracle.Invalid, p.relaxed
	}
	return schemaoracle.Valid, 0
}

func TestTheGrammarIsThatOfLibvirtsSchema_ButForTheRelaxations(t *testing.T) {
	documents := schemaoracle.Corpus(corpusDocuments, seeds())
	var needed relaxation
	count := make(map[schemaoracle.Verdict]int)
	for i, want := range schemaoracle.Judge(t, "domainbackup.rng", documents) {
		got, relaxed := verdict(documents[i])
		needed |= relaxed
		count[want]++
		if got != want {
			_, err := Parse(documents[i])
			t.Errorf("xmllint says %s, the parser %s (%v):\n%s", want, got, err, documents[i])
		}
	}
	t.Log(count)
	for _, r := range relaxations {
		if needed&r.bit == 0 {
			t.Errorf("no document needed the relaxation %q", r.reason)
		}
		needed &^= r.bit
	}
	if needed != 0 {
		t.Errorf("relaxations %b have no reason", needed)
	}
}
