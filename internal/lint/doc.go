// Package lint is the house rules as tests: import directions, what code in a
// world may not use, package documentation, lengths with a ratchet.
//
// It has no code of its own to call; go test ./internal/lint is its whole use.
//
// The property it keeps: a rule that is broken anywhere in the module fails a test
// that names the place and the reason; and each rule is shown to be able to fail
// on a small package in testdata.
package lint
