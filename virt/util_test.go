package virt_test

import (
	"errors"
	"testing"

	"fleece/virt"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// asError is err, which must be a libvirt error of level ERROR.
func asError(t *testing.T, err error) *virt.Error {
	t.Helper()
	var e *virt.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *virt.Error", err, err)
	}
	if e.Level != virt.ERR_ERROR {
		t.Errorf("%v has level %d", err, e.Level)
	}
	return e
}

// wants asserts code, domain and the whole message of an error.
func wants(t *testing.T, err error, code virt.ErrorNumber, from virt.ErrorDomain, message string) {
	t.Helper()
	e := asError(t, err)
	if !errors.Is(err, code) || e.Domain != from || e.Message != message {
		t.Errorf("got %v, want code %d, domain %d, %q", err, int(code), int(from), message)
	}
}
