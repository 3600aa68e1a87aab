package conformance

import (
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"fleece/virt"
)

// The few matchers that the harness itself uses, under names of its own so that
// Gomega need not be dot-imported here.

func haveOccurred() types.GomegaMatcher      { return gomega.HaveOccurred() }
func succeed() types.GomegaMatcher           { return gomega.Succeed() }
func beEmpty() types.GomegaMatcher           { return gomega.BeEmpty() }
func beTrue() types.GomegaMatcher            { return gomega.BeTrue() }
func haveLen(n int) types.GomegaMatcher      { return gomega.HaveLen(n) }
func equal(expected any) types.GomegaMatcher { return gomega.Equal(expected) }

func containText(s string) types.GomegaMatcher { return gomega.ContainSubstring(s) }

func matchError(code virt.ErrorNumber) types.GomegaMatcher { return gomega.MatchError(code) }
