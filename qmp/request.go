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
	if bad := firstFault(message, oob); bad != "" {
		return r, Generic("QMP input " + bad)
	}
	name := message.Get("execute")
	if !name.Present() {
		name, r.OutOfBand = message.Get("exec-oob"), true
	}
	r.Command = Command{Name: name.S(), Args: message.Get("arguments")}
	return r, nil
}

// firstFault is what QEMU finds wrong with a request, "" if nothing is. It looks
// at the members in the order of the QDict.
func firstFault(message Value, oob bool) string {
	commands, faulty := 0, false
	for i := range message.Members() {
		m := &message.Members()[i]
		faulty = faulty || memberFault(m, oob) != ""
		if m.Name == "execute" || m.Name == "exec-oob" {
			commands++
		}
	}
	if commands == 1 && !faulty {
		return ""
	}
	first := ""
	for _, name := range qdictOrder(message.Members()) {
		m := M(name, message.Get(name))
		if fault := memberFault(&m, oob); fault != "" {
			return "member '" + name + "' " + fault
		}
		if name != "execute" && name != "exec-oob" {
			continue
		}
		if first != "" {
			return "member '" + name + "' clashes with '" + first + "'"
		}
		first = name
	}
	return "lacks member 'execute'"
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
