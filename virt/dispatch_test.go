package virt_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"fleece/rt"
	"fleece/virt"
)

const unknown = "An error occurred, but the cause is unknown"

func TestADriversErrorIsPassedOnAsItIs(t *testing.T) {
	failure := virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "domain is not running")
	for _, a := range asked() {
		t.Run(a.symbol, func(t *testing.T) {
			results, err := a.call(t, connect(&full{err: failure}, virt.ConnOptions{}))
			if asError(t, err) != failure {
				t.Errorf("got %v", err)
			}
			noResult(t, results)
		})
	}
}

// asked are the calls whose answer comes from the driver, and that it can fail.
func asked() []apiCall {
	var list []apiCall
	for _, a := range api {
		if !a.local && a.symbol != "virConnectDomainEventRegisterAny" {
			list = append(list, a)
		}
	}
	return list
}

func TestAFailureThatSetNoErrorIsStillAnError(t *testing.T) { // SUR-04, E006
	for name, failure := range map[string]error{
		"a nil *Error":           (*virt.Error)(nil),
		"an error with code OK":  &virt.Error{},
		"a wrapped nil *Error":   fmt.Errorf("begin: %w", (*virt.Error)(nil)),
		"a joined *Error of OK":  errors.Join(&virt.Error{Message: "no error"}),
		"a wrapped *Error of OK": fmt.Errorf("begin: %w", &virt.Error{}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, a := range asked() {
				results, err := a.call(t, connect(&full{err: failure}, virt.ConnOptions{}))
				wants(t, err, virt.ERR_INTERNAL_ERROR, virt.FROM_NONE, unknown)
				noResult(t, results)
			}
		})
	}
}

func TestAnImpossibleResultWithoutAnErrorIsCode1(t *testing.T) { // SUR-04, E006
	possible := map[string]bool{ // whose zero value is a result
		"virDomainListJobIds": true, "virDomainGetJobInfo": true, "virDomainGetBlockJobInfo": true, "virDomainGetJobStats": true, "virDomainGetState": true,
		"virDomainListAllCheckpoints": true, "virDomainCheckpointListAllChildren": true, "virConnectListAllDomains": true,
		"virDomainHasCurrentCheckpoint": true, "virDomainCheckpointIsCurrent": true, "virDomainCheckpointHasMetadata": true,
		"virDomainListAllSnapshots": true, "virDomainSnapshotListAllChildren": true,
		"virDomainHasCurrentSnapshot": true, "virDomainSnapshotIsCurrent": true, "virDomainSnapshotHasMetadata": true,
	}
	for _, a := range api {
		t.Run(a.symbol, func(t *testing.T) {
			results, err := a.call(t, connect(&full{empty: true, number: -7}, virt.ConnOptions{}))
			if a.local || possible[a.symbol] || len(results) == 0 && a.symbol != "virDomainCreate" {
				ok(t, err)
				return
			}
			wants(t, err, virt.ERR_INTERNAL_ERROR, virt.FROM_NONE, unknown)
			noResult(t, results)
		})
	}
}

func TestAnErrorOfAnotherTypeIsCode1WithItsTextAndStaysTheCause(t *testing.T) {
	failure := errors.New("disk on fire")
	err := connect(&full{err: failure}, virt.ConnOptions{}).dom.Destroy()
	wants(t, err, virt.ERR_INTERNAL_ERROR, virt.FROM_NONE, "internal error: disk on fire")
	if !errors.Is(err, failure) {
		t.Error("the cause is lost")
	}
}

func TestZeroIsAResultOfBeginAndOfEnd(t *testing.T) { // §3.4 rows 1 and 2
	d := &full{number: 0, empty: true}
	h := connect(d, virt.ConnOptions{})
	if id, err := h.dom.BackupBegin(nil, nil, 0); id != 0 || err != nil {
		t.Errorf("begin: %d, %v", id, err)
	}
	if ret, err := h.dom.BackupEnd(0, 0); ret != 0 || err != nil {
		t.Errorf("end: %d, %v", ret, err)
	}
}

func TestAListThatIsLongerThanTheProtocolCarriesIsRefused(t *testing.T) { // E030
	const limit = 16384
	h := connect(&full{many: limit}, virt.ConnOptions{})
	if list, err := h.dom.ListAllCheckpoints(0); err != nil || len(list) != limit {
		t.Errorf("%d checkpoints, %v", len(list), err)
	}
	h = connect(&full{many: limit + 1}, virt.ConnOptions{})
	for _, symbol := range []string{"virDomainListAllCheckpoints", "virDomainCheckpointListAllChildren", "virConnectListAllDomains"} {
		what := "checkpoints"
		if strings.HasPrefix(symbol, "virConnect") {
			what = "domains"
		}
		results, err := find(symbol).call(t, h)
		wants(t, err, virt.ERR_RPC, virt.FROM_RPC, "Too many "+what+" '16385' for limit '16384'")
		noResult(t, results)
	}
}

func find(symbol string) apiCall {
	for _, a := range api {
		if a.symbol == symbol {
			return a
		}
	}
	panic("no such call: " + symbol)
}

func TestADriverThatDiesDuringACallIsTheEndOfTheStream(t *testing.T) {
	opts := virt.ConnOptions{Invoke: func(string, func()) error { return rt.ErrKilled }}
	for _, a := range api {
		if a.local && a.symbol != "virConnectClose" {
			continue
		}
		t.Run(a.symbol, func(t *testing.T) {
			results, err := a.call(t, connect(&full{}, opts))
			wants(t, err, virt.ERR_SYSTEM_ERROR, virt.FROM_RPC, "End of file while reading data: Input/output error")
			if !errors.Is(err, rt.ErrKilled) {
				t.Error("the cause is lost")
			}
			noResult(t, results)
		})
	}
}

func TestInvokeHearsTheNameOfTheCall(t *testing.T) {
	for _, a := range asked() {
		var names []string
		h := connect(&full{}, virt.ConnOptions{Invoke: func(name string, f func()) error {
			names = append(names, name)
			f()
			return nil
		}})
		if _, err := a.call(t, h); err != nil || !reflect.DeepEqual(names, []string{a.symbol}) {
			t.Errorf("%s: %v, invoked %v", a.symbol, err, names)
		}
	}
}

// TestWhatADyingTaskStillWritesIsNotRead is for the race detector: as with
// rt/realrt, Invoke returns while the task of the killed process still runs.
func TestWhatADyingTaskStillWritesIsNotRead(t *testing.T) {
	for _, a := range api {
		if a.local {
			continue
		}
		written := make(chan struct{})
		results, err := a.call(t, connect(&full{}, virt.ConnOptions{Invoke: func(_ string, f func()) error {
			go func() {
				defer close(written)
				f()
			}()
			return rt.ErrKilled
		}}))
		wants(t, err, virt.ERR_SYSTEM_ERROR, virt.FROM_RPC, "End of file while reading data: Input/output error")
		noResult(t, results)
		<-written
	}
}

func TestEachErrorIsReportedOnceAndIsTheLastOne(t *testing.T) { // §1.3
	for _, a := range asked() {
		var reported []*virt.Error
		var h handles
		failure := virt.Errorf(virt.ERR_NO_DOMAIN, virt.FROM_QEMU, "gone")
		d := &full{err: failure}
		h = connect(d, virt.ConnOptions{OnError: func(e *virt.Error) {
			reported = append(reported, e)
			if h.conn.LastError() != e { // a callback may ask the connection
				t.Error("the callback runs before the error is kept")
			}
		}})
		_, _ = a.call(t, h)
		if len(reported) != 1 || reported[0] != failure || h.conn.LastError() != failure {
			t.Errorf("%s: reported %v, last %v", a.symbol, reported, h.conn.LastError())
		}
		d.err = nil
		if _, err := a.call(t, h); err != nil || h.conn.LastError() != nil || len(reported) != 1 {
			t.Errorf("%s: a success leaves %v, last %v", a.symbol, err, h.conn.LastError())
		}
	}
}
