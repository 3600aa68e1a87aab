package virt

import (
	"errors"
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
	ERR_INVALID_DOMAIN_CHECKPOINT ErrorNumber = 102
	ERR_NO_DOMAIN_CHECKPOINT      ErrorNumber = 103
	ERR_NO_DOMAIN_BACKUP          ErrorNumber = 104
	ERR_CHECKPOINT_INCONSISTENT   ErrorNumber = 109
)

// ErrorDomain is libvirt's virErrorDomain: the part that raised the error.
type ErrorDomain int

// The domains that occur.
const (
	FROM_NONE              ErrorDomain = 0
	FROM_XML               ErrorDomain = 5
	FROM_DOM               ErrorDomain = 6
	FROM_QEMU              ErrorDomain = 10
	FROM_STORAGE           ErrorDomain = 18
	FROM_DOMAIN            ErrorDomain = 20
	FROM_DOMAIN_SNAPSHOT   ErrorDomain = 35
	FROM_DOMAIN_CHECKPOINT ErrorDomain = 69
)

// ErrorLevel is libvirt's virErrorLevel.
type ErrorLevel int

// The levels.
const (
	ERR_NONE    ErrorLevel = 0
	ERR_WARNING ErrorLevel = 1
	ERR_ERROR   ErrorLevel = 2
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
	return fmt.Sprintf("virErrorNumber %d (%s)", int(n), strings.TrimRight(n.envelope(), ": "))
}

// Error is a libvirt error: code, domain, level, and the message with its
// envelope.
type Error struct {
	Code    ErrorNumber
	Domain  ErrorDomain
	Level   ErrorLevel
	Message string
	cause   error
}

// Error is the message as libvirt's Go binding prints it.
func (e *Error) Error() string {
	return fmt.Sprintf("virError(Code=%d, Domain=%d, Message='%s')", int(e.Code), int(e.Domain), e.Message)
}

// Is reports whether target is the code of e.
func (e *Error) Is(target error) bool {
	n, ok := target.(ErrorNumber)
	return ok && n == e.Code
}

// Unwrap returns what caused the error, if that is known.
func (e *Error) Unwrap() error { return e.cause }

// Because adds the cause, which does not show in the message.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// Errorf makes an error: the envelope of the code, then the formatted detail.
func Errorf(code ErrorNumber, domain ErrorDomain, format string, args ...any) *Error {
	return plainError(code, domain, code.envelope()+fmt.Sprintf(format, args...))
}

// plainError makes an error whose message has no envelope (§1.2: helpers of the
// public layer raise their texts as they are).
func plainError(code ErrorNumber, domain ErrorDomain, message string) *Error {
	return &Error{Code: code, Domain: domain, Level: ERR_ERROR, Message: message}
}

// NonNullArg is the error for a pointer that must be set (virCheckNonNullArg).
func NonNullArg(arg, function string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, fmt.Sprintf("%s in %s must not be NULL", arg, function))
}

// NonNegativeArg is the error for an integer below zero (virCheckNonNegativeArg).
func NonNegativeArg(arg, function string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, fmt.Sprintf("%s in %s must be zero or greater", arg, function))
}

// UnsupportedFlags is the error for unknown flag bits (virCheckFlags); function is
// the driver's, bits only the offending ones.
func UnsupportedFlags(bits uint32, function string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, fmt.Sprintf("unsupported flags (0x%x) in function %s", bits, function))
}

// ExclusiveFlags is the error for two flags that exclude each other, given by
// their C names.
func ExclusiveFlags(a, b string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, fmt.Sprintf("Flags '%s' and '%s' are mutually exclusive", a, b))
}

// RequiredFlag is the error for a flag that needs another one.
func RequiredFlag(given, required string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, fmt.Sprintf("Flag '%s' is required by flag '%s'", required, given))
}

// unknownCause is what dispatch invents for a failure without an error (E006).
func unknownCause() *Error {
	return plainError(ERR_INTERNAL_ERROR, FROM_NONE, "An error occurred, but the cause is unknown")
}

// asError turns any error into an *Error: one that is none becomes code 1.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Errorf(ERR_INTERNAL_ERROR, FROM_NONE, "%v", err).Because(err)
}

// XML makes the pointer that a nullable string parameter wants.
func XML(s string) *string { return &s }
