package virt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fleece/virt"
)

// envelopes is §1.1: code and text; %s is the detail.
var envelopes = map[virt.ErrorNumber]string{
	virt.ERR_INTERNAL_ERROR:            "internal error: %s",
	virt.ERR_NO_SUPPORT:                "this function is not supported by the connection driver: %s",
	virt.ERR_INVALID_CONN:              "invalid connection pointer in %s",
	virt.ERR_INVALID_DOMAIN:            "invalid domain pointer in %s",
	virt.ERR_INVALID_ARG:               "invalid argument: %s",
	virt.ERR_OPERATION_FAILED:          "operation failed: %s",
	virt.ERR_XML_ERROR:                 "XML error: %s",
	virt.ERR_OPERATION_DENIED:          "operation forbidden: %s",
	virt.ERR_XML_DETAIL:                "%s",
	virt.ERR_SYSTEM_ERROR:              "%s",
	virt.ERR_RPC:                       "%s",
	virt.ERR_NO_DOMAIN:                 "Domain not found: %s",
	virt.ERR_OPERATION_INVALID:         "Requested operation is not valid: %s",
	virt.ERR_NO_SECRET:                 "Secret not found: %s",
	virt.ERR_CONFIG_UNSUPPORTED:        "unsupported configuration: %s",
	virt.ERR_OPERATION_TIMEOUT:         "Timed out during operation: %s",
	virt.ERR_INVALID_DOMAIN_SNAPSHOT:   "Invalid domain snapshot: %s",
	virt.ERR_NO_DOMAIN_SNAPSHOT:        "Domain snapshot not found: %s",
	virt.ERR_ARGUMENT_UNSUPPORTED:      "argument unsupported: %s",
	virt.ERR_OPERATION_ABORTED:         "operation aborted: %s",
	virt.ERR_BLOCK_COPY_ACTIVE:         "block copy still active: %s",
	virt.ERR_OPERATION_UNSUPPORTED:     "Operation not supported: %s",
	virt.ERR_AGENT_UNRESPONSIVE:        "Guest agent is not responding: %s",
	virt.ERR_RESOURCE_BUSY:             "resource busy: %s",
	virt.ERR_ACCESS_DENIED:             "access denied: %s",
	virt.ERR_XML_INVALID_SCHEMA:        "XML document failed to validate against schema: %s",
	virt.ERR_INVALID_DOMAIN_CHECKPOINT: "Invalid domain checkpoint: %s",
	virt.ERR_NO_DOMAIN_CHECKPOINT:      "Domain checkpoint not found: %s",
	virt.ERR_NO_DOMAIN_BACKUP:          "Domain backup job id not found: %s",
	virt.ERR_CHECKPOINT_INCONSISTENT:   "checkpoint inconsistent: %s",
}

// codes is the number of each code (virterror.h).
var codes = map[virt.ErrorNumber]int{
	virt.ERR_OK: 0, virt.ERR_INTERNAL_ERROR: 1, virt.ERR_NO_SUPPORT: 3, virt.ERR_INVALID_CONN: 6, virt.ERR_INVALID_DOMAIN: 7,
	virt.ERR_INVALID_ARG: 8, virt.ERR_OPERATION_FAILED: 9, virt.ERR_XML_ERROR: 27, virt.ERR_OPERATION_DENIED: 29,
	virt.ERR_XML_DETAIL: 35, virt.ERR_SYSTEM_ERROR: 38, virt.ERR_RPC: 39, virt.ERR_NO_DOMAIN: 42,
	virt.ERR_OPERATION_INVALID: 55, virt.ERR_NO_SECRET: 66, virt.ERR_CONFIG_UNSUPPORTED: 67, virt.ERR_OPERATION_TIMEOUT: 68,
	virt.ERR_INVALID_DOMAIN_SNAPSHOT: 71, virt.ERR_NO_DOMAIN_SNAPSHOT: 72, virt.ERR_ARGUMENT_UNSUPPORTED: 74,
	virt.ERR_OPERATION_ABORTED: 78, virt.ERR_BLOCK_COPY_ACTIVE: 83, virt.ERR_OPERATION_UNSUPPORTED: 84,
	virt.ERR_AGENT_UNRESPONSIVE: 86, virt.ERR_RESOURCE_BUSY: 87, virt.ERR_ACCESS_DENIED: 88, virt.ERR_XML_INVALID_SCHEMA: 92,
	virt.ERR_INVALID_DOMAIN_CHECKPOINT: 102, virt.ERR_NO_DOMAIN_CHECKPOINT: 103, virt.ERR_NO_DOMAIN_BACKUP: 104,
	virt.ERR_CHECKPOINT_INCONSISTENT: 109,
}

func TestEveryCodeHasItsNumberAndItsEnvelope(t *testing.T) { // SUR-02
	if len(codes) != len(envelopes)+1 {
		t.Fatalf("%d codes, %d envelopes", len(codes), len(envelopes))
	}
	for code, number := range codes {
		if int(code) != number {
			t.Errorf("%v is %d, want %d", code, int(code), number)
		}
	}
	for code, envelope := range envelopes {
		e := virt.Errorf(code, virt.FROM_QEMU, "disk '%s'", "vda")
		if want := fmt.Sprintf(envelope, "disk 'vda'"); e.Message != want || e.Code != code || e.Domain != virt.FROM_QEMU || e.Level != virt.ERR_ERROR {
			t.Errorf("%+v, want message %q", e, want)
		}
	}
}

func TestHelperMadeTextsHaveNoEnvelope(t *testing.T) { // §1.2
	for want, e := range map[string]*virt.Error{
		"a in f must not be NULL":                   virt.NonNullArg("a", "f"),
		"a in f must be zero or greater":            virt.NonNegativeArg("a", "f"),
		"unsupported flags (0x30) in function f":    virt.UnsupportedFlags(0x30, "f"),
		"Flags 'A' and 'B' are mutually exclusive":  virt.ExclusiveFlags("A", "B"),
		"Flag 'B' is required by flag 'A'":          virt.RequiredFlag("A", "B"),
		"invalid argument: store '/x' exists, 100%": virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "store '%s' exists, 100%%", "/x"),
	} {
		if e.Message != want || e.Code != virt.ERR_INVALID_ARG {
			t.Errorf("%v, want %q", e, want)
		}
	}
	if d := virt.UnsupportedFlags(1, "f").In(virt.FROM_DOMAIN_CHECKPOINT).Domain; d != 69 {
		t.Errorf("In gives domain %d", d)
	}
}

func TestAnErrorIsFoundByItsCodeAndByItsCause(t *testing.T) {
	cause := errors.New("EIO")
	err := fmt.Errorf("begin: %w", virt.Errorf(virt.ERR_SYSTEM_ERROR, virt.FROM_QEMU, "read").Because(cause))
	if !errors.Is(err, virt.ERR_SYSTEM_ERROR) || errors.Is(err, virt.ERR_RPC) || !errors.Is(err, cause) {
		t.Error("errors.Is answers wrongly")
	}
	if strings.Contains(err.Error(), "EIO") {
		t.Error("the cause shows in the message")
	}
	var none *virt.Error
	if errors.Is(none, virt.ERR_OK) || none.Unwrap() != nil || none.Error() == "" {
		t.Error("a nil *Error misbehaves")
	}
}

func TestErrorsReadAsInLibvirtsGoBinding(t *testing.T) {
	if got := virt.Errorf(virt.ERR_NO_DOMAIN_BACKUP, virt.FROM_DOMAIN, "no domain backup job with id '%d'", 7).Error(); got !=
		"virError(Code=104, Domain=20, Message='Domain backup job id not found: no domain backup job with id '7'')" {
		t.Error(got)
	}
	if got := virt.ERR_NO_DOMAIN_BACKUP.Error(); got != "virErrorNumber 104 (Domain backup job id not found)" {
		t.Error(got)
	}
	if got := virt.ERR_RPC.Error(); got != "virErrorNumber 39" {
		t.Error(got)
	}
}
