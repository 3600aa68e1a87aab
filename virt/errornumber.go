package virt

import (
	"fmt"
	"strings"
)

// ErrorNumber is libvirt's virErrorNumber. It is an error itself, so that
// errors.Is(err, virt.ERR_NO_DOMAIN_BACKUP) asks for a code.
type ErrorNumber int

// The error numbers that the checkpoint and backup API uses
// (include/libvirt/virterror.h).
const (
	ERR_OK                        ErrorNumber = 0
	ERR_INTERNAL_ERROR            ErrorNumber = 1
	ERR_NO_SUPPORT                ErrorNumber = 3
	ERR_INVALID_CONN              ErrorNumber = 6
	ERR_INVALID_DOMAIN            ErrorNumber = 7
	ERR_INVALID_ARG               ErrorNumber = 8
	ERR_OPERATION_FAILED          ErrorNumber = 9
	ERR_XML_ERROR                 ErrorNumber = 27
	ERR_OPERATION_DENIED          ErrorNumber = 29
	ERR_XML_DETAIL                ErrorNumber = 35
	ERR_SYSTEM_ERROR              ErrorNumber = 38
	ERR_RPC                       ErrorNumber = 39
	ERR_NO_DOMAIN                 ErrorNumber = 42
	ERR_OPERATION_INVALID         ErrorNumber = 55
	ERR_NO_SECRET                 ErrorNumber = 66
	ERR_CONFIG_UNSUPPORTED        ErrorNumber = 67
	ERR_OPERATION_TIMEOUT         ErrorNumber = 68
	ERR_INVALID_DOMAIN_SNAPSHOT   ErrorNumber = 71
	ERR_NO_DOMAIN_SNAPSHOT        ErrorNumber = 72
	ERR_ARGUMENT_UNSUPPORTED      ErrorNumber = 74
	ERR_OPERATION_ABORTED         ErrorNumber = 78
	ERR_BLOCK_COPY_ACTIVE         ErrorNumber = 83
	ERR_OPERATION_UNSUPPORTED     ErrorNumber = 84
	ERR_AGENT_UNRESPONSIVE        ErrorNumber = 86
	ERR_RESOURCE_BUSY             ErrorNumber = 87
	ERR_ACCESS_DENIED             ErrorNumber = 88
	ERR_XML_INVALID_SCHEMA        ErrorNumber = 92
	ERR_DEVICE_MISSING            ErrorNumber = 99
	ERR_INVALID_DOMAIN_CHECKPOINT ErrorNumber = 102
	ERR_NO_DOMAIN_CHECKPOINT      ErrorNumber = 103
	ERR_NO_DOMAIN_BACKUP          ErrorNumber = 104
	ERR_CHECKPOINT_INCONSISTENT   ErrorNumber = 109
)

// envelope returns the text around the detail of a code (virErrorMsg in
// src/util/virerror.c).
func (n ErrorNumber) envelope() string {
	switch n {
	case ERR_INTERNAL_ERROR:
		return "internal error: "
	case ERR_NO_SUPPORT:
		return "this function is not supported by the connection driver: "
	case ERR_INVALID_CONN:
		return "invalid connection pointer in "
	case ERR_INVALID_DOMAIN:
		return "invalid domain pointer in "
	case ERR_INVALID_ARG:
		return "invalid argument: "
	case ERR_OPERATION_FAILED:
		return "operation failed: "
	case ERR_XML_ERROR:
		return "XML error: "
	case ERR_OPERATION_DENIED:
		return "operation forbidden: "
	case ERR_NO_DOMAIN:
		return "Domain not found: "
	case ERR_OPERATION_INVALID:
		return "Requested operation is not valid: "
	case ERR_NO_SECRET:
		return "Secret not found: "
	case ERR_CONFIG_UNSUPPORTED:
		return "unsupported configuration: "
	case ERR_OPERATION_TIMEOUT:
		return "Timed out during operation: "
	}
	return n.laterEnvelope()
}

// laterEnvelope is envelope for the codes from 71 upward.
func (n ErrorNumber) laterEnvelope() string {
	switch n {
	case ERR_INVALID_DOMAIN_SNAPSHOT:
		return "Invalid domain snapshot: "
	case ERR_NO_DOMAIN_SNAPSHOT:
		return "Domain snapshot not found: "
	case ERR_ARGUMENT_UNSUPPORTED:
		return "argument unsupported: "
	case ERR_OPERATION_ABORTED:
		return "operation aborted: "
	case ERR_BLOCK_COPY_ACTIVE:
		return "block copy still active: "
	case ERR_OPERATION_UNSUPPORTED:
		return "Operation not supported: "
	case ERR_AGENT_UNRESPONSIVE:
		return "Guest agent is not responding: "
	case ERR_RESOURCE_BUSY:
		return "resource busy: "
	case ERR_ACCESS_DENIED:
		return "access denied: "
	case ERR_XML_INVALID_SCHEMA:
		return "XML document failed to validate against schema: "
	case ERR_DEVICE_MISSING:
		return "device not found: "
	case ERR_INVALID_DOMAIN_CHECKPOINT:
		return "Invalid domain checkpoint: "
	case ERR_NO_DOMAIN_CHECKPOINT:
		return "Domain checkpoint not found: "
	case ERR_NO_DOMAIN_BACKUP:
		return "Domain backup job id not found: "
	case ERR_CHECKPOINT_INCONSISTENT:
		return "checkpoint inconsistent: "
	}
	return "" // 35, 38, 39: the detail alone
}

// Error makes a code usable with errors.Is.
func (n ErrorNumber) Error() string {
	if text := strings.TrimRight(n.envelope(), ": "); text != "" {
		return fmt.Sprintf("virErrorNumber %d (%s)", int(n), text)
	}
	return fmt.Sprintf("virErrorNumber %d", int(n))
}
