package qmp

// Request is what a client asked for.
type Request struct {
	Command   Command
	ID        Value // absent if the client gave none
	OutOfBand bool  // exec-oob
}

// ParseRequest reads a message as QEMU's dispatcher does (qmp_dispatch_check_obj)
// and gives its text for what is no request. oob tells whether the capability was
// enabled. ID is set on errors too, if the message had one: the reply echoes it.
// Whether the command exists is Schema.CheckRequest's to say.
func ParseRequest(message Value, oob bool) (Request, *ReplyError) {
	if message.kind != KindDict {
		return Request{}, Generic("QMP input must be a JSON object")
	}
	r := Request{ID: message.Get("id")}
	bad := qdictFirst(message.dict, func(m *Member) bool { return memberFault(m, oob) != "" })
	if bad >= 0 {
		m := &message.dict[bad]
		return r, Generic("QMP input member '" + m.Name + "' " + memberFault(m, oob))
	}
	name, plain := message.Get("execute"), message.Get("exec-oob")
	switch {
	case name.Present() && plain.Present():
		return r, clash()
	case plain.Present():
		name, r.OutOfBand = plain, true
	case !name.Present():
		return r, Generic("QMP input lacks member 'execute'")
	}
	r.Command = Command{Name: name.str, Args: message.Get("arguments")}
	return r, nil
}

// memberFault is what is wrong with one member, "" if nothing is.
func memberFault(m *Member, oob bool) string {
	switch {
	case m.Name == "execute", m.Name == "exec-oob" && oob:
		if m.Value.kind != KindString {
			return "must be a string"
		}
	case m.Name == "arguments":
		if m.Value.kind != KindDict {
			return "must be an object"
		}
	case m.Name != "id":
		return "is unexpected"
	}
	return ""
}

// clash is the text for execute and exec-oob together: the one that comes second
// in the QDict is said to clash with the first.
func clash() *ReplyError {
	if qdictHash("execute") < qdictHash("exec-oob") {
		return Generic("QMP input member 'exec-oob' clashes with 'execute'")
	}
	return Generic("QMP input member 'execute' clashes with 'exec-oob'")
}
