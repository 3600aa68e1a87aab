package conformance_test

import (
	"strings"
	"testing"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/virt"
)

func TestARefusalThatIsNotTheCataloguesRowFails(t *testing.T) {
	sim, err := lanes.Sim(lanes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want string // of the failure; "" for a pass
	}{
		{virt.Errorf(virt.ERR_NO_DOMAIN_BACKUP, virt.FROM_QEMU, "no domain backup job with id '7'"), ""},
		{virt.Errorf(virt.ERR_NO_DOMAIN_BACKUP, virt.FROM_QEMU, "no such job"), "the catalogue has \"no domain backup job with id '%d'\""},
		{virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "no domain backup job with id '7'"), "the code of"},
		{virt.ERR_NO_DOMAIN_BACKUP, "is no libvirt error"},
	} {
		r := conformance.RunOne(conformance.Spec{
			ID: "row", Title: "an error is compared with its row", Requirements: []string{"E047"},
			Body: func(t *conformance.T) { t.ExpectRow("E047, of the second job", c.err) },
		}, conformance.Options{Lane: sim, Seed: 1})
		text := conformance.Explain(r)
		if passed := r.State == conformance.StatePass; passed != (c.want == "") || !strings.Contains(text, c.want) {
			t.Errorf("%v: %s\nwant %q", c.err, text, c.want)
		}
	}
}
