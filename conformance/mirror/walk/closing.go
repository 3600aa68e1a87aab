package walk

import "fleece/qmp"

// ClosingSteps is how many steps end every session.
const ClosingSteps = 7

// Closing is one of the steps that end a session: all queries, then quit.
func Closing(i int) Step {
	switch i {
	case 0:
		return command("query-named-block-nodes")
	case 1:
		return command("query-block")
	case 2:
		return command("query-jobs")
	case 3:
		return command("query-block-jobs")
	case 4:
		return command("query-block-exports")
	case 5:
		return command("x-debug-query-block-graph")
	}
	return Step{Command: qmp.Command{Name: "quit"}}
}
