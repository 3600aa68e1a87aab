package duel

import "fleece/conformance/mirror/coverage"

// count counts what the real QEMU answered in a session.
func (s Session) count(c *coverage.Count) { countTurns(c, s.Turns) }

func countTurns(c *coverage.Count, turns []Turn) {
	for _, t := range turns {
		command := t.Step.Command.Name
		if t.Step.Raw != "" {
			command = coverage.Raw
		}
		for _, a := range t.Answers {
			c.Note(command, a)
		}
	}
}
