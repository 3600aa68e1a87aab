package qmp

// alternate notes the branches; which of them takes which kind of value is known
// when every type is defined.
func (l *schemaLoader) alternate(t *dataType, e Value) {
	t.kind, t.label = typeAlternate, e.Get("label").S()
	if t.label == "" {
		l.fail("alternate '%s' has no label", e.Get("name").S())
	}
	for _, m := range e.Get("members").Items() {
		t.members = append(t.members, memberType{typ: l.typeOf(m.Get("type").S())})
	}
	l.alternates = append(l.alternates, t)
}

// settleAlternates runs when every type is defined.
func (l *schemaLoader) settleAlternates() {
	for _, t := range l.alternates {
		for _, m := range t.members {
			for _, kind := range m.typ.jsonKinds() {
				t.choices[kind] = m.typ
			}
		}
		t.members = nil
	}
}

// jsonKinds are the kinds of value that select the type in an alternate.
func (t *dataType) jsonKinds() []Kind {
	switch t.kind {
	case typeObject:
		return []Kind{KindDict}
	case typeArray:
		return []Kind{KindList}
	case typeString, typeEnum:
		return []Kind{KindString}
	case typeNull:
		return []Kind{KindNull}
	case typeBool:
		return []Kind{KindBool}
	case typeNumber, typeSigned, typeUnsigned:
		return []Kind{KindInt, KindUint, KindFloat}
	}
	return nil
}
