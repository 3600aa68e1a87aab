package qmp

import (
	_ "embed"
	"fmt"
	"math"
	"sort"
	"strings"
)

// schemaQEMU72 is made by schematrim from what QEMU 7.2 answers to
// query-qmp-schema.
//
//go:embed schema_qemu72.json
var schemaQEMU72 []byte

// Schema knows the commands of a QEMU and checks requests as its dispatcher
// does. It is read-only after loading and may be shared by everything.
type Schema struct {
	commands map[string]*commandType
	names    []string // of the commands, sorted
}

// commandType is one command.
type commandType struct {
	args      *dataType
	oob       bool // may be executed out of band
	unchecked bool // device_add takes whatever comes
}

type typeKind uint8

const (
	typeAny typeKind = iota
	typeBool
	typeString
	typeNull
	typeNumber
	typeSigned
	typeUnsigned
	typeEnum
	typeArray
	typeObject
	typeAlternate
)

// dataType is one type of the schema.
type dataType struct {
	kind    typeKind
	label   string // of an alternate, or the C name of an integer
	min     int64  // of a signed integer
	max     uint64 // of an integer
	values  []string
	element *dataType
	members []memberType // in the order QEMU visits them
	tag     int          // index of the member that selects a variant; -1 if none
	cases   []caseType
	// choices of an alternate, by kind of the value; nil where there is none
	choices [KindDict + 1]*dataType
}

type memberType struct {
	name     string
	typ      *dataType
	optional bool
}

type caseType struct {
	value string
	typ   *dataType
}

// LoadSchema reads the embedded schema of QEMU 7.2. It takes a few milliseconds:
// load once, share everywhere.
func LoadSchema() (*Schema, error) { return NewSchema(schemaQEMU72) }

// NewSchema reads a schema in the form that schematrim writes.
func NewSchema(data []byte) (*Schema, error) {
	entries, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("qmp schema: %w", err)
	}
	l := schemaLoader{
		types: make(map[string]*dataType), defined: make(map[string]bool),
		schema: &Schema{commands: make(map[string]*commandType)},
	}
	l.builtins()
	for _, e := range entries.Items() {
		l.load(e)
	}
	l.settleAlternates()
	for _, name := range l.open {
		if !l.defined[name] {
			l.fail("type '%s' is used but not defined", name)
		}
	}
	sort.Strings(l.schema.names)
	return l.schema, l.err
}

// Commands lists the names of all commands, sorted. It must not be changed.
func (s *Schema) Commands() []string { return s.names }

// schemaLoader turns entries into types that point at each other.
type schemaLoader struct {
	schema *Schema
	types  map[string]*dataType
	open   []string // named and not builtin, in order of appearance
	// defined holds the names that had an entry.
	defined map[string]bool
	// alternates wait until the kinds of all their members are known.
	alternates []*dataType
	err        error
}

func (l *schemaLoader) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf("qmp schema: "+format, args...)
	}
}

func (l *schemaLoader) builtins() {
	signed := func(name, label string, bits int) {
		limit := uint64(1) << (bits - 1)
		l.types[name] = &dataType{kind: typeSigned, label: label, min: -int64(limit-1) - 1, max: limit - 1}
	}
	unsigned := func(name, label string, limit uint64) {
		l.types[name] = &dataType{kind: typeUnsigned, label: label, max: limit}
	}
	l.types["any"] = &dataType{kind: typeAny}
	l.types["bool"] = &dataType{kind: typeBool}
	l.types["str"] = &dataType{kind: typeString}
	l.types["null"] = &dataType{kind: typeNull}
	l.types["number"] = &dataType{kind: typeNumber}
	signed("int", "", 64)
	signed("int32", "int32_t", 32)
	unsigned("uint8", "uint8_t", math.MaxUint8)
	unsigned("uint16", "uint16_t", math.MaxUint16)
	unsigned("uint32", "uint32_t", math.MaxUint32)
	unsigned("uint64", "", math.MaxUint64)
}

// typeOf returns the type of that name, to be defined now or later. Arrays are
// named after their element.
func (l *schemaLoader) typeOf(name string) *dataType {
	if t := l.types[name]; t != nil {
		return t
	}
	t := &dataType{}
	l.types[name] = t
	if element, ok := strings.CutPrefix(name, "["); ok {
		t.kind, t.element = typeArray, l.typeOf(strings.TrimSuffix(element, "]"))
		return t
	}
	l.open = append(l.open, name)
	return t
}

func (l *schemaLoader) load(e Value) {
	name := e.Get("name").S()
	switch meta := e.Get("meta-type").S(); meta {
	case "command":
		l.schema.names = append(l.schema.names, name)
		l.schema.commands[name] = &commandType{
			args: l.typeOf(e.Get("arg-type").S()),
			oob:  e.Get("allow-oob").IsTrue(), unchecked: e.Get("unchecked").IsTrue(),
		}
	case "builtin", "array":
	case "enum", "object", "alternate":
		t := l.typeOf(name)
		l.define(name)
		switch meta {
		case "enum":
			l.enum(t, e)
		case "object":
			l.object(t, e)
		case "alternate":
			l.alternate(t, e)
		}
	default:
		l.fail("entry '%s' has the unknown meta-type '%s'", name, meta)
	}
}

func (l *schemaLoader) define(name string) {
	if l.defined[name] {
		l.fail("type '%s' is defined twice", name)
	}
	l.defined[name] = true
}

func (l *schemaLoader) enum(t *dataType, e Value) {
	t.kind = typeEnum
	for _, v := range e.Get("values").Items() {
		t.values = append(t.values, v.S())
	}
}

func (l *schemaLoader) object(t *dataType, e Value) {
	t.kind, t.tag = typeObject, -1
	tag := e.Get("tag").S()
	for i, m := range e.Get("members").Items() {
		name := m.Get("name").S()
		if name == tag && tag != "" {
			t.tag = i
		}
		t.members = append(t.members, memberType{name, l.typeOf(m.Get("type").S()), m.Get("optional").IsTrue()})
	}
	if tag != "" && t.tag < 0 {
		l.fail("object '%s' has no member for its tag '%s'", e.Get("name").S(), tag)
	}
	for _, c := range e.Get("variants").Items() {
		t.cases = append(t.cases, caseType{c.Get("case").S(), l.typeOf(c.Get("type").S())})
	}
}
