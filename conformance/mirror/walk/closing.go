package walk

import "fleece/qmp"

// Closing is the i-th of the steps that end a session: all queries, then quit, which ends the
// jobs that are there; ok is false after that.
func (w *Walker) Closing(i int) (s Step, ok bool) {
	queries := []string{
		"query-named-block-nodes", "query-block", "query-jobs", "query-block-jobs", "query-block-exports", "x-debug-query-block-graph",
	}
	switch {
	case w.closed:
		return s, false
	case i < len(queries):
		return command(queries[i]), true
	}
	w.closed = true
	return Quit(), true
}

// Quit is the last step of every session.
func Quit() Step { return Step{Command: qmp.Command{Name: "quit"}} }
