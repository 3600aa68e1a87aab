package qmp

// ReplyError is an error reply as the server makes it: class and text.
type ReplyError struct {
	Class string
	Desc  string
}

// Error shows class and text.
func (e *ReplyError) Error() string { return e.Class + ": " + e.Desc }

// Message is the error reply; id is absent for a request without one.
func (e *ReplyError) Message(id Value) Value {
	return Dict(M("id", id), M("error", Dict(M("class", Str(e.Class)), M("desc", Str(e.Desc)))))
}

// Generic makes an error of class GenericError, QEMU's usual one.
func Generic(desc string) *ReplyError { return &ReplyError{Class: GenericError, Desc: desc} }

// Return is the reply of a command that succeeded. Commands without a result
// return an empty dict.
func Return(result, id Value) Value {
	return Dict(M("return", result), M("id", id))
}

// Message is the event as it goes over the connection.
func (e Event) Message() Value {
	m := new([5]Member) // of both objects: events are many
	m[3], m[4] = M("seconds", Int(e.Seconds)), M("microseconds", Int(e.Microseconds))
	m[0], m[1], m[2] = M("timestamp", Dict(m[3:]...)), M("event", Str(e.Name)), M("data", e.Data)
	return Dict(m[:3:3]...)
}

// ParseEvent reads a message as an event; ok is false if it is none.
func ParseEvent(m Value) (e Event, ok bool) {
	name, ok := m.Get("event").Text()
	if !ok {
		return Event{}, false
	}
	stamp := m.Get("timestamp")
	e = Event{Name: name, Data: m.Get("data")}
	e.Seconds, _ = stamp.Get("seconds").Int64()
	e.Microseconds, _ = stamp.Get("microseconds").Int64()
	return e, true
}

// Greeting is the first message of a server.
type Greeting struct {
	Major, Minor, Micro int64
	Package             string
	Capabilities        []string // "oob"
}

// Message is the greeting as it goes over the connection.
func (g Greeting) Message() Value {
	caps := make([]Value, len(g.Capabilities))
	for i, c := range g.Capabilities {
		caps[i] = Str(c)
	}
	version := Dict(
		M("qemu", Dict(M("micro", Int(g.Micro)), M("minor", Int(g.Minor)), M("major", Int(g.Major)))),
		M("package", Str(g.Package)))
	return Dict(M("QMP", Dict(M("version", version), M("capabilities", List(caps...)))))
}

// ParseGreeting reads a message as a greeting; ok is false if it is none.
func ParseGreeting(m Value) (g Greeting, ok bool) {
	body := m.Get("QMP")
	if body.Kind() != KindDict {
		return Greeting{}, false
	}
	version := body.Get("version")
	numbers := version.Get("qemu")
	g.Package = version.Get("package").S()
	g.Major, _ = numbers.Get("major").Int64()
	g.Minor, _ = numbers.Get("minor").Int64()
	g.Micro, _ = numbers.Get("micro").Int64()
	for _, c := range body.Get("capabilities").Items() {
		g.Capabilities = append(g.Capabilities, c.S())
	}
	return g, true
}

// isReply reports whether a message answers a command.
func isReply(m Value) bool { return m.Get("return").Present() || m.Get("error").Present() }

// replyResult splits the reply to a command into result and error.
func replyResult(command string, m Value) (Value, error) {
	if e := m.Get("error"); e.Present() {
		return Value{}, &CommandError{Command: command, Class: e.Get("class").S(), Desc: e.Get("desc").S()}
	}
	return m.Get("return"), nil
}

// commandID returns the id of one of the monitor's own commands, 0 for any other.
func commandID(v Value) uint64 {
	n, ok := v.Int64()
	if !ok || n < 0 {
		return 0
	}
	return uint64(n)
}
