package virt

import (
	"errors"
	"fmt"
)

// ErrorDomain is libvirt's virErrorDomain: the part that raised the error.
type ErrorDomain int

// The domains that occur.
const (
	FROM_NONE              ErrorDomain = 0
	FROM_XML               ErrorDomain = 5
	FROM_DOM               ErrorDomain = 6 // handle checks
	FROM_RPC               ErrorDomain = 7 // the connection to the driver
	FROM_QEMU              ErrorDomain = 10
	FROM_STORAGE           ErrorDomain = 18
	FROM_DOMAIN            ErrorDomain = 20 // domain calls, domain and backup documents
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
	if e == nil {
		return "virError(nil)"
	}
	return fmt.Sprintf("virError(Code=%d, Domain=%d, Message='%s')", int(e.Code), int(e.Domain), e.Message)
}

// Is reports whether target is the code of e.
func (e *Error) Is(target error) bool {
	n, ok := target.(ErrorNumber)
	return ok && e != nil && n == e.Code
}

// Unwrap returns what caused the error, if that is known.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

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

// In sets the domain of e: libvirt's VIR_FROM_THIS of the file that raises it.
func (e *Error) In(domain ErrorDomain) *Error {
	e.Domain = domain
	return e
}

// NonNullArg is the error for a pointer that must be set (virCheckNonNullArg).
func NonNullArg(arg, function string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, arg+" in "+function+" must not be NULL")
}

// NonNegativeArg is the error for an integer below zero (virCheckNonNegativeArg).
func NonNegativeArg(arg, function string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, arg+" in "+function+" must be zero or greater")
}

// UnsupportedFlags is the error for unknown flag bits (virCheckFlags): function is
// the driver's, bits are only the offending ones. Its domain is QEMU, since the
// driver's file raises it.
func UnsupportedFlags(bits uint32, function string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_QEMU, fmt.Sprintf("unsupported flags (0x%x) in function %s", bits, function))
}

// ExclusiveFlags is the error for two flags that exclude each other, given by
// their C names (VIR_EXCLUSIVE_FLAGS_GOTO).
func ExclusiveFlags(a, b string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, "Flags '"+a+"' and '"+b+"' are mutually exclusive")
}

// RequiredFlag is the error for a flag that needs another one, both given by their
// C names (VIR_REQUIRE_FLAG_GOTO).
func RequiredFlag(given, required string) *Error {
	return plainError(ERR_INVALID_ARG, FROM_DOMAIN, "Flag '"+required+"' is required by flag '"+given+"'")
}

// unknownCause is what dispatch invents for a failure without an error (E006).
func unknownCause() *Error {
	return plainError(ERR_INTERNAL_ERROR, FROM_NONE, "An error occurred, but the cause is unknown")
}

// connectionLost is the error of a call during which the driver's process died.
// It is what libvirt's client reports for a libvirtd that dies: virNetSocketRead
// sees the end of the stream and raises the system error EIO (38, not RPC 39).
func connectionLost(cause error) *Error {
	return Errorf(ERR_SYSTEM_ERROR, FROM_RPC, "End of file while reading data: Input/output error").Because(cause)
}

// asError turns a driver's failure into an *Error, the innermost one if it wraps
// one. An error of another type becomes code 1 with its text. A nil *Error, or one
// whose code is OK, is a failure that set no error (SUR-04; virSetConnError).
func asError(failure error) *Error {
	var e *Error
	if !errors.As(failure, &e) {
		return Errorf(ERR_INTERNAL_ERROR, FROM_NONE, "%v", failure).Because(failure)
	}
	if e == nil || e.Code == ERR_OK {
		return unknownCause()
	}
	return e
}

// XML makes the pointer that a nullable string parameter wants; nil is C's NULL.
func XML(s string) *string { return &s }
