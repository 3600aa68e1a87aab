package walk

import "fleece/qmp"

// closingMax bounds the steps that end a session.
const closingMax = 40

// Closing is the i-th of the steps that end a session: all queries, the end of all jobs
// but one, then quit; ok is false after that. How jobs that belong together end at a
// quit is not compared: it is a matter of who waits for whom.
func (w *Walker) Closing(i int, v View) (s Step, ok bool) {
	queries := []string{
		"query-named-block-nodes", "query-block", "query-jobs", "query-block-jobs", "query-block-exports", "x-debug-query-block-graph",
	}
	switch {
	case w.closed:
		return s, false
	case i < len(queries):
		return command(queries[i]), true
	case len(v.jobs) > 1 && i < closingMax:
		j := v.jobs[i%len(v.jobs)]
		if j.status == "concluded" {
			return command("job-dismiss", text("id", j.id)), true
		}
		return command("job-cancel", text("id", j.id)), true
	}
	w.closed = true
	return Quit(), true
}

// Quit is the last step of every session.
func Quit() Step { return Step{Command: qmp.Command{Name: "quit"}} }
