package qcow2

import (
	"errors"
	"fmt"
)

// Classes of errors, for errors.Is.
var (
	// ErrFormat: the bytes are not a qcow2 image, or of an unknown version.
	ErrFormat = errors.New("not a qcow2 image that is known")
	// ErrCorrupt: a field contradicts the format or the rest of the image.
	ErrCorrupt = errors.New("the image is corrupt")
	// ErrLimit: a field is larger than what a reader should believe.
	ErrLimit = errors.New("beyond the limit")
	// ErrUnsupported: the image is valid, but uses what this package does not read.
	ErrUnsupported = errors.New("not supported")
	// ErrArgument: the caller asked for an image or a range that cannot be.
	ErrArgument = errors.New("invalid argument")
)

// Error is a refused image, or a refused wish to write one. Failures of the
// underlying reader or writer are not of this type; they are wrapped as they are.
type Error struct {
	Class  error  // one of the Err… values
	Field  string // as docs/interop/qcow2.txt names it, or the field of Image
	Offset int64  // of the field in the file, bytes; -1 when it is not in a file
	Value  uint64 // what was found
	Limit  uint64 // with ErrLimit: the largest value that is accepted
	Detail string // what is wrong with it; empty with ErrLimit
}

func (e *Error) Error() string {
	at := ""
	if e.Offset >= 0 {
		at = fmt.Sprintf(" at offset %d", e.Offset)
	}
	if errors.Is(e.Class, ErrLimit) {
		return fmt.Sprintf("qcow2: %s%s is %d, the limit is %d", e.Field, at, e.Value, e.Limit)
	}
	return fmt.Sprintf("qcow2: %s%s is %#x: %s (%v)", e.Field, at, e.Value, e.Detail, e.Class)
}

// Unwrap returns the class.
func (e *Error) Unwrap() error { return e.Class }

func corrupt(field string, offset int64, value uint64, detail string) *Error {
	return &Error{Class: ErrCorrupt, Field: field, Offset: offset, Value: value, Detail: detail}
}

func unsupported(field string, offset int64, value uint64, detail string) *Error {
	return &Error{Class: ErrUnsupported, Field: field, Offset: offset, Value: value, Detail: detail}
}

func beyond(field string, offset int64, value, limit uint64) *Error {
	return &Error{Class: ErrLimit, Field: field, Offset: offset, Value: value, Limit: limit}
}

func badArgument(field string, value int64, detail string) *Error {
	return &Error{Class: ErrArgument, Field: field, Offset: -1, Value: uint64(value), Detail: detail}
}
