//go:build !race

package simrt_test

const raceEnabled = false
