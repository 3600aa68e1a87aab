package qmp

import "strconv"

// Check says what QEMU says about a command before it executes anything: unknown
// command, or the first fault of its arguments in the order QEMU visits them
// (the schema's), all of the tree before anything runs. nil means that the
// arguments are well-formed; whether they make sense is the command's business.
//
// The texts are those of qapi/qobject-input-visitor.c: a path for missing,
// unexpected and ill-typed members, but only the last name of it for enums,
// alternates and integers out of range, and "null" inside arrays.
func (s *Schema) Check(cmd Command) *ReplyError {
	c := s.commands[cmd.Name]
	if c == nil {
		return unknownCommand(cmd.Name)
	}
	return c.check(cmd.Args)
}

// CheckRequest is Check for a request that may be out of band.
func (s *Schema) CheckRequest(r Request) *ReplyError {
	c := s.commands[r.Command.Name]
	switch {
	case c == nil:
		return unknownCommand(r.Command.Name)
	case r.OutOfBand && !c.oob:
		return Generic("The command " + r.Command.Name + " does not support OOB")
	}
	return c.check(r.Command.Args)
}

func unknownCommand(name string) *ReplyError {
	return &ReplyError{Class: CommandNotFound, Desc: "The command " + name + " has not been found"}
}

func (c *commandType) check(args Value) *ReplyError {
	if c.unchecked {
		return nil
	}
	if p := c.args.checkMembers(args); p != nil {
		return Generic(p.text())
	}
	return nil
}

// problem is a fault of an argument; its path grows on the way out.
type problem struct {
	before string
	path   string
	after  string
	local  bool // path is complete: QEMU shows no more of it
}

func (p *problem) text() string { return p.before + p.path + p.after }

// under adds the name of the member that holds the fault.
func (p *problem) under(name string) *problem {
	switch {
	case p.local:
	case p.path == "":
		p.path = name
	case p.path[0] == '[':
		p.path = name + p.path
	default:
		p.path = name + "." + p.path
	}
	return p
}

// at adds the index of the element that holds the fault.
func (p *problem) at(i int) *problem {
	return p.under("[" + strconv.Itoa(i) + "]")
}

func illTyped(want string) *problem {
	return &problem{before: "Invalid parameter type for '", after: "', expected: " + want}
}

// localName is the name that QEMU gives a value where it knows no path: that of
// the member, null for an element of an array.
func localName(name string) string {
	if name == "" {
		return "null"
	}
	return name
}

// check looks at one value. name is that of its member, "" in an array.
func (t *dataType) check(v Value, name string) *problem {
	switch t.kind {
	case typeObject:
		if v.kind != KindDict {
			return illTyped("object")
		}
		return t.checkMembers(v)
	case typeArray:
		return t.checkArray(v)
	case typeEnum:
		return t.checkEnum(v, name)
	case typeAlternate:
		branch := t.choices[v.kind]
		if branch == nil {
			p := illTyped(t.label)
			p.path, p.local = localName(name), true
			return p
		}
		return branch.check(v, name)
	}
	return t.checkScalar(v, name)
}

func (t *dataType) checkScalar(v Value, name string) *problem {
	switch t.kind {
	case typeString:
		if v.kind != KindString {
			return illTyped("string")
		}
	case typeBool:
		if v.kind != KindBool {
			return illTyped("boolean")
		}
	case typeNull:
		if v.kind != KindNull {
			return illTyped("null")
		}
	case typeNumber:
		if _, ok := v.Float64(); !ok {
			return illTyped("number")
		}
	case typeSigned:
		return t.checkSigned(v, name)
	case typeUnsigned:
		return t.checkUnsigned(v, name)
	}
	return nil
}

func (t *dataType) checkSigned(v Value, name string) *problem {
	n, ok := v.Int64()
	if !ok {
		return illTyped("integer")
	}
	if n < t.min || (n > 0 && uint64(n) > t.max) {
		return t.outOfRange(name)
	}
	return nil
}

// checkUnsigned takes negative integers as their two's complement, as QEMU does
// for the sake of old clients; only narrow types refuse them.
func (t *dataType) checkUnsigned(v Value, name string) *problem {
	if v.kind != KindInt && v.kind != KindUint {
		return &problem{before: "Parameter '", after: "' expects uint64"}
	}
	if v.num > t.max {
		return t.outOfRange(name)
	}
	return nil
}

func (t *dataType) outOfRange(name string) *problem {
	return &problem{before: "Parameter '", path: localName(name), after: "' expects " + t.label, local: true}
}

func (t *dataType) checkEnum(v Value, name string) *problem {
	if v.kind != KindString {
		return illTyped("string")
	}
	for _, value := range t.values {
		if value == v.S() {
			return nil
		}
	}
	return &problem{
		before: "Parameter '", path: localName(name),
		after: "' does not accept value '" + v.S() + "'", local: true,
	}
}

func (t *dataType) checkArray(v Value) *problem {
	if v.kind != KindList {
		return illTyped("array")
	}
	for i, item := range v.Items() {
		if p := t.element.check(item, ""); p != nil {
			return p.at(i)
		}
	}
	return nil
}

// checkMembers looks at the members of a dict, an absent one being empty: those
// that the type has, then whether there are others.
func (t *dataType) checkMembers(v Value) *problem {
	found, p := t.visit(v)
	if p == nil && found < len(v.Members()) {
		p = &problem{before: "Parameter '", path: t.firstUnexpected(v), after: "' is unexpected"}
	}
	return p
}

// visit looks at the members that the type has, in order, then at those of the
// variant that its tag selects; it counts the ones that are there.
func (t *dataType) visit(v Value) (found int, p *problem) {
	var variant *dataType
	for i := range t.members {
		m := &t.members[i]
		value := v.Get(m.name)
		if value.kind == KindAbsent {
			if !m.optional {
				return 0, &problem{before: "Parameter '", path: m.name, after: "' is missing"}
			}
			continue
		}
		found++
		if p := m.typ.check(value, m.name); p != nil {
			return 0, p.under(m.name)
		}
		if i == t.tag {
			variant = t.variant(value.S())
		}
	}
	if variant == nil {
		return found, nil
	}
	more, p := variant.visit(v)
	return found + more, p
}

func (t *dataType) variant(tag string) *dataType {
	for i := range t.cases {
		if t.cases[i].value == tag {
			return t.cases[i].typ
		}
	}
	return nil
}
