package virt_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"fleece/virt"
)

// seedSymbols are the seed's export list: its five calls, and the checkpoint set of
// the same version node (§3.1). VirDomainListCheckpoints is the early name of
// virDomainListAllCheckpoints, virDomainCheckpointListChildren that of
// virDomainCheckpointListAllChildren.
var seedSymbols = []string{
	"virDomainBackupBegin", "virDomainBackupEnd", "virDomainBackupGetXMLDesc",
	"virDomainListJobIds", "virDomainSnapshotCreateXML2",
	"virDomainCheckpointCreateXML", "virDomainCheckpointCurrent", "virDomainCheckpointDelete",
	"virDomainCheckpointFree", "virDomainCheckpointGetConnect", "virDomainCheckpointGetDomain",
	"virDomainCheckpointGetName", "virDomainCheckpointGetParent", "virDomainCheckpointGetXMLDesc",
	"virDomainCheckpointHasMetadata", "virDomainCheckpointIsCurrent",
	"virDomainCheckpointListAllChildren", "virDomainCheckpointLookupByName",
	"virDomainCheckpointRef", "virDomainHasCurrentCheckpoint", "virDomainListAllCheckpoints",
}

func TestEveryCallOfTheSeedHasItsCounterpart(t *testing.T) { // SUR-01
	for _, symbol := range seedSymbols {
		if !slices.ContainsFunc(api, func(a apiCall) bool { return a.symbol == symbol }) {
			t.Errorf("%s has no counterpart", symbol)
		}
	}
	h := connect(nil, virt.ConnOptions{})
	for _, a := range api {
		if !a.on(h).MethodByName(a.name()).IsValid() {
			t.Errorf("%s: there is no method %s", a.symbol, a.method)
		}
	}
}

func TestEveryMethodOfAHandleIsALibvirtCall(t *testing.T) {
	h := connect(nil, virt.ConnOptions{})
	known := map[string]bool{"Conn.LastError": true, "Conn.Handles": true} // not calls
	for _, a := range api {
		known[a.method] = true
	}
	for _, handle := range []any{h.conn, h.dom, h.chk, h.snap} {
		typ := reflect.TypeOf(handle)
		for i := range typ.NumMethod() {
			name := typ.Elem().Name() + "." + typ.Method(i).Name
			if !known[name] {
				t.Errorf("%s is in no row of the table of calls", name)
			}
		}
	}
}

func TestADriverThatCanDoNothingAnswersNoSupportWithTheNameOfTheCall(t *testing.T) { // SUR-03
	for _, a := range api {
		t.Run(a.symbol, func(t *testing.T) {
			h := connect(struct{}{}, virt.ConnOptions{})
			results, err := a.call(t, h)
			if a.local {
				if err != nil {
					t.Errorf("the layer answers this itself, but: %v", err)
				}
				return
			}
			wants(t, err, virt.ERR_NO_SUPPORT, a.from, "this function is not supported by the connection driver: "+a.symbol)
			noResult(t, results)
		})
	}
}

// TestTheDriverIsAskedThroughExactlyOneInterface holds the list of interfaces
// against the list of calls: each call that is not local reaches a driver that can
// do everything.
func TestEveryCallReachesADriverThatCanDoEverything(t *testing.T) {
	for _, a := range api {
		t.Run(a.symbol, func(t *testing.T) {
			d := &full{}
			results, err := a.call(t, connect(d, virt.ConnOptions{}))
			if err != nil {
				t.Fatal(err)
			}
			if want := !a.local || a.symbol == "virConnectClose"; (len(d.asked) == 1) != want {
				t.Errorf("the driver was asked %v", d.asked)
			}
			for _, r := range results {
				if r.IsZero() && !strings.Contains(a.symbol, "GetState") {
					t.Errorf("a zero result %v", r.Type())
				}
			}
		})
	}
}
