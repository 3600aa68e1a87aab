package qmp

import "time"

// Rule is what a Tap does with messages that match. Exactly one of Command, Reply
// and Event is set. A message goes through the rules in the order they were
// added; each sees what the ones before made of it.
type Rule struct {
	// Command matches the command of that name on its way to the server.
	Command string
	// Reply matches the reply, good or bad, to the command of that name.
	Reply string
	// Event matches the event of that name.
	Event string
	// If narrows the match; nil is every message. It must not block.
	If func(m Value) bool
	// Nth is which match of this rule it acts on, from 1; 0 is every one. What an
	// earlier rule dropped or changed does not get here and is not counted.
	Nth int

	// Delay lets the message wait. A command that waits may be overtaken by
	// those of other tasks; a reply or event holds up all behind it.
	Delay time.Duration
	// Hold is called before the message goes on, and may block.
	Hold func(m Value)
	// Replace gives the message that goes on instead. It must not block.
	Replace func(m Value) Value
	// Drop lets the message vanish. A dropped command is never answered.
	Drop bool
	// Answer gives the reply to a command, which the server does not get: it is
	// sent query-version instead, whose reply is exchanged for the answer. So
	// the answer takes its place among replies and events, and does not come at
	// all if the server is gone. The id is put in. Only with Command.
	Answer func(request Value) Value
	// Before and After are more messages in the same direction.
	Before, After []Value
}

// matches reports whether the rule is about the message. command is the name of
// the command itself or of the one that a reply answers.
func (r *Rule) matches(dir Direction, m Value, command string) bool {
	switch {
	case dir == FromClient:
		if r.Command == "" || r.Command != command {
			return false
		}
	case isReply(m):
		if r.Reply == "" || r.Reply != command {
			return false
		}
	default:
		if r.Event == "" || r.Event != m.Get("event").S() {
			return false
		}
	}
	return r.If == nil || r.If(m)
}

// FailCommand makes the n-th command of that name fail with the given error
// before it has any effect; n 0 is every one.
func FailCommand(name string, n int, failure *ReplyError) Rule {
	return Rule{Command: name, Nth: n, Answer: func(Value) Value { return failure.Message(Value{}) }}
}

// FailReply makes the reply to the n-th command of that name an error though the
// command had its effect.
func FailReply(name string, n int, failure *ReplyError) Rule {
	return Rule{Reply: name, Nth: n, Replace: func(m Value) Value { return failure.Message(m.Get("id")) }}
}

// AddJobSpeed gives every backup job that has no speed the given one (bytes per
// second), alone or in a transaction. With speed 1 a job copies its first chunk,
// 1 MiB at most, and stands still until block-job-set-speed lets it go.
func AddJobSpeed(speed int64) []Rule {
	slow := func(args Value) Value {
		if args.Get("speed").Present() {
			return args
		}
		return args.With("speed", Int(speed))
	}
	return []Rule{
		{Command: "blockdev-backup", Replace: func(m Value) Value {
			return m.With("arguments", slow(m.Get("arguments")))
		}},
		{Command: "transaction", Replace: func(m Value) Value {
			args := m.Get("arguments")
			actions := args.Get("actions").Items()
			changed := make([]Value, len(actions))
			for i, a := range actions {
				changed[i] = a
				if a.Get("type").S() == "blockdev-backup" {
					changed[i] = a.With("data", slow(a.Get("data")))
				}
			}
			return m.With("arguments", args.With("actions", List(changed...)))
		}},
	}
}

// With returns a copy of a dict in which the named member has that value; an
// absent value takes the member out. Of any other kind it makes a dict.
func (v Value) With(name string, value Value) Value {
	members := make([]Member, 0, len(v.Members())+1)
	replaced := false
	for _, m := range v.Members() {
		if m.Name == name {
			m.Value, replaced = value, true
		}
		members = append(members, m)
	}
	if !replaced {
		members = append(members, M(name, value))
	}
	return Dict(members...)
}
