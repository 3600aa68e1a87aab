package walk

import "fleece/qmp"

// Step is what the client does next: a command, or bytes that are none.
type Step struct {
	Command qmp.Command
	Raw     string
	// Exec is "exec-oob" for a request out of band; "" is "execute".
	Exec string
}

// Message is the request with an id.
func (s Step) Message(id string) qmp.Value {
	name := "execute"
	if s.Exec != "" {
		name = s.Exec
	}
	return qmp.Dict(qmp.M(name, qmp.Str(s.Command.Name)), qmp.M("arguments", s.Command.Args), qmp.M("id", qmp.Str(id)))
}

// command makes a step.
func command(name string, members ...qmp.Member) Step {
	args := qmp.Value{}
	if len(members) > 0 {
		args = qmp.Dict(members...)
	}
	return Step{Command: qmp.Command{Name: name, Args: args}}
}

// human is a command of the human monitor.
func human(line string) Step {
	return command("human-monitor-command", qmp.M("command-line", qmp.Str(line)))
}

func text(name, value string) qmp.Member { return qmp.M(name, qmp.Str(value)) }

func number(name string, n int64) qmp.Member { return qmp.M(name, qmp.Int(n)) }

func flag(name string, b bool) qmp.Member { return qmp.M(name, qmp.Bool(b)) }

// maybe is a member that is there in one of n cases.
func (w *Walker) maybe(n int, m qmp.Member) qmp.Member {
	if w.d.In(n) {
		return m
	}
	return qmp.Member{}
}
