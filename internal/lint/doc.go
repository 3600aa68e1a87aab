// Package lint is the house rules as tests: which package may import which, what
// code in a world may not use, package documentation, lengths with a ratchet, and
// words that unfinished code uses of itself.
//
// It has no code of its own to call, and it is no style checker: go test
// ./internal/lint is its whole use, and golangci-lint does the rest.
//
// The property it keeps: a rule that is broken anywhere in the module fails a test
// that names the place and the reason; each rule is shown to be able to fail on a
// small package in testdata; and an exception is a row with a reason, which fails
// once nothing needs it any more.
//
//	imports_test.go  import directions, third-party modules in worlds
//	world_test.go    which packages and files run in a world, and the exceptions
//	bans_test.go     what they may not use
//	state_test.go    package-level variables
//	docs_test.go     package documentation
//	lengths_test.go  lengths of files and functions, ratchet.txt
//	words_test.go    unfinished work, paths of somebody's machine
package lint
