package duel

import "fleece/conformance/mirror/coverage"

// count counts what the real QEMU answered in a session.
func (s Session) count(c *coverage.Count) {
	for _, t := range s.Turns {
		command := t.Step.Command.Name
		if t.Step.Raw != "" {
			command = coverage.Raw
		}
		for _, a := range t.Answers {
			c.Note(command, a)
		}
	}
}
