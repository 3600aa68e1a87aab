package virt_test

import (
	"testing"

	"fleece/conformance/catalogue"
)

func TestTheFaultsOfCallersAreTheRowsOfTheCatalogue(t *testing.T) {
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, o := range orders {
		for _, f := range o.faults {
			r, known := c.Row(f.id)
			if !known {
				continue // a paragraph, for calls that are not in the catalogue
			}
			compared++
			if r.Error.Code != int(f.code) || !r.Error.Fits(f.text) {
				t.Errorf("%s of %s is %d %q, the catalogue has %d %q", f.id, o.symbol, f.code, f.text, r.Error.Code, r.Error.Text)
			}
		}
	}
	if compared < len(orders) {
		t.Errorf("only %d faults have a row", compared)
	}
}
