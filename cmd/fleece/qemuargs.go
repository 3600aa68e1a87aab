package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"fleece/machine"
	"fleece/qmp"
)

// machineDefault is the name and memory of a machine whose arguments say nothing.
const (
	machineName      = "qemu"
	machineMemoryKiB = 128 << 10
)

// qemuFlag is one of QEMU's options as fleece serve takes it.
type qemuFlag struct {
	value bool // it has one
	set   func(spec *machine.Spec, value string, schema *qmp.Schema) error
}

func ignored(*machine.Spec, string, *qmp.Schema) error { return nil }

// qemuFlags are the options of QEMU that mean something here, or may be ignored.
func qemuFlags() map[string]qemuFlag {
	return map[string]qemuFlag{
		"-blockdev": {true, addBlockdev},
		"-device":   {true, addDevice},
		"-S":        {false, func(s *machine.Spec, _ string, _ *qmp.Schema) error { s.Paused = true; return nil }},
		"-name": {true, func(s *machine.Spec, v string, _ *qmp.Schema) error {
			name, _, _ := strings.Cut(v, ",")
			s.Name = strings.TrimPrefix(name, "guest=")
			return nil
		}},
		"-uuid":    {true, func(s *machine.Spec, v string, _ *qmp.Schema) error { s.UUID = v; return nil }},
		"-machine": {true, setMachine}, "-M": {true, setMachine},
		"-m": {true, ignored}, "-smp": {true, ignored}, "-accel": {true, ignored}, "-cpu": {true, ignored},
		"-display": {true, ignored}, "-nodefaults": {false, ignored}, "-no-user-config": {false, ignored},
		"-nographic": {false, ignored}, "-enable-kvm": {false, ignored},
	}
}

func setMachine(s *machine.Spec, v string, _ *qmp.Schema) error {
	s.Machine, _, _ = strings.Cut(v, ",")
	return nil
}

// parseQEMUArguments reads a command line of QEMU. The machine runs unless -S is
// among them, as QEMU's does.
func parseQEMUArguments(args []string, schema *qmp.Schema) (machine.Spec, error) {
	spec := machine.Spec{Name: machineName, MemoryKiB: machineMemoryKiB, VCPUs: 1}
	flags := qemuFlags()
	for i := 0; i < len(args); i++ {
		name := args[i]
		if strings.HasPrefix(name, "--") {
			name = name[1:] // QEMU takes both
		}
		f, ok := flags[name]
		switch {
		case name == "-qmp" || name == "-mon" || name == "-chardev" || name == "-monitor":
			return spec, fmt.Errorf("%s: monitors are made by --qmp, in front of --", name)
		case name == "-drive" || name == "-hda":
			return spec, fmt.Errorf("%s: use -blockdev and -device, as libvirt does", name)
		case !ok:
			return spec, fmt.Errorf("%s: not an option of QEMU that is simulated: there are -blockdev, -device, -S, -name, -uuid, -machine", name)
		case f.value && i+1 == len(args):
			return spec, fmt.Errorf("%s: requires an argument", name)
		}
		value := ""
		if f.value {
			i++
			value = args[i]
		}
		if err := f.set(&spec, value, schema); err != nil {
			return spec, fmt.Errorf("%s %s: %w", name, value, err)
		}
	}
	return spec, nil
}

func addBlockdev(spec *machine.Spec, text string, schema *qmp.Schema) error {
	options, err := parseOptions(text)
	if err == nil && !strings.HasPrefix(text, "{") {
		options, err = typed(options, schema)
	}
	if err != nil {
		return err
	}
	spec.Nodes = append(spec.Nodes, options)
	return nil
}

// parseOptions reads JSON or key=value.
func parseOptions(text string) (qmp.Value, error) {
	if !strings.HasPrefix(text, "{") {
		return parseKeyval(text, "driver")
	}
	v, err := qmp.Decode([]byte(text))
	if err == nil && v.Kind() != qmp.KindDict {
		err = errors.New("an object was expected")
	}
	return v, err
}

func addDevice(spec *machine.Spec, text string, _ *qmp.Schema) error {
	options, err := parseOptions(text)
	if err != nil {
		return err
	}
	var d machine.Device
	for _, m := range options.Members() {
		switch m.Name {
		case "driver":
			d.Driver = m.Value.S()
		case "id":
			d.ID = m.Value.S()
		case "drive":
			d.Drive = m.Value.S()
		case "serial":
			d.Serial = m.Value.S()
		case "write-cache":
			d.WriteThrough = m.Value.S() == "off"
		case "werror":
			d.WriteErrors = m.Value.S()
		case "rerror":
			d.ReadErrors = m.Value.S()
		case "bus", "addr", "bootindex", "scsi", "num-queues", "iothread", "unit":
		default:
			return fmt.Errorf("property %q is not simulated", m.Name)
		}
	}
	switch d.Driver {
	case "":
		return errors.New("parameter 'driver' is missing")
	case "virtio-blk", "virtio-blk-device":
		d.Driver = "virtio-blk-pci"
	case "virtio-blk-pci", "ide-hd", "ide-cd", "scsi-hd", "scsi-cd":
	default:
		return fmt.Errorf("device %q is not simulated: disks are virtio-blk-pci, ide-hd, ide-cd, scsi-hd and scsi-cd", d.Driver)
	}
	spec.Devices = append(spec.Devices, d)
	return nil
}

// parseKeyval reads key=value,key.inner=value as QEMU does (util/keyval.c): a comma
// in a value is doubled; the first word may be the value of implied.
func parseKeyval(text, implied string) (qmp.Value, error) {
	root := &branch{}
	for i, word := range splitCommas(text) {
		key, value, ok := strings.Cut(word, "=")
		if !ok && i == 0 {
			key, value, ok = implied, word, true
		}
		if !ok {
			return qmp.Value{}, fmt.Errorf("expected '=' after parameter '%s'", word)
		}
		if err := root.set(key, value); err != nil {
			return qmp.Value{}, err
		}
	}
	return root.value(), nil
}

// splitCommas splits at commas that are not doubled.
func splitCommas(text string) []string {
	var words []string
	word := ""
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != ',':
			word += string(text[i])
		case i+1 < len(text) && text[i+1] == ',':
			word += ","
			i++
		default:
			words = append(words, word)
			word = ""
		}
	}
	if word != "" || len(words) == 0 {
		words = append(words, word)
	}
	return words
}

// branch is an object under construction; a leaf has text.
type branch struct {
	name     string
	text     string
	children []*branch
}

// keyPartsMax bounds the depth of a dotted key.
const keyPartsMax = 32

func (b *branch) set(key, value string) error {
	parts := strings.Split(key, ".")
	if len(parts) > keyPartsMax {
		return fmt.Errorf("parameter '%s' is too deep", key)
	}
	for i, part := range parts {
		if part == "" || part[0] >= '0' && part[0] <= '9' {
			return fmt.Errorf("invalid parameter '%s' (for lists use the JSON form)", key)
		}
		b = b.child(part)
		if i+1 < len(parts) && b.text != "" || i+1 == len(parts) && len(b.children) > 0 {
			return fmt.Errorf("parameters '%s.*' used inconsistently", part)
		}
	}
	b.text = value
	return nil
}

func (b *branch) child(name string) *branch {
	for _, c := range b.children {
		if c.name == name {
			return c
		}
	}
	c := &branch{name: name}
	b.children = append(b.children, c)
	return c
}

func (b *branch) value() qmp.Value {
	if len(b.children) == 0 {
		return qmp.Str(b.text)
	}
	members := make([]qmp.Member, len(b.children))
	for i, c := range b.children {
		members[i] = qmp.M(c.name, c.value())
	}
	return qmp.Dict(members...)
}

// typeFaults are the schema's complaints about a string where it wants another type,
// with the path of the member.
var typeFaults = regexp.MustCompile(`^(?:Invalid parameter type for '(.+)', expected: (?:boolean|integer|number)|Parameter '(.+)' expects (?:u?int\w*|a? ?number))$`)

// typed gives strings the types that the schema wants: key=value has no others. The
// machine's own check says what is wrong with the rest.
func typed(options qmp.Value, schema *qmp.Schema) (qmp.Value, error) {
	for range keyPartsMax {
		fault := schema.Check(qmp.Command{Name: "blockdev-add", Args: options})
		if fault == nil {
			break
		}
		match := typeFaults.FindStringSubmatch(fault.Desc)
		if match == nil {
			break
		}
		fixed, ok := retype(options, strings.Split(match[1]+match[2], "."))
		if !ok {
			return options, errors.New(fault.Desc)
		}
		options = fixed
	}
	return options, nil
}

// retype turns the string at a path into a number or boolean.
func retype(v qmp.Value, at []string) (qmp.Value, bool) {
	if len(at) == 0 {
		return scalar(v.S())
	}
	members := append([]qmp.Member(nil), v.Members()...)
	for i := range members {
		if members[i].Name == at[0] {
			inner, ok := retype(members[i].Value, at[1:])
			members[i].Value = inner
			return qmp.Dict(members...), ok
		}
	}
	return v, false
}

func scalar(text string) (qmp.Value, bool) {
	switch text {
	case "on", "yes", "true", "y":
		return qmp.Bool(true), true
	case "off", "no", "false", "n":
		return qmp.Bool(false), true
	}
	n, err := strconv.ParseInt(text, 0, 64)
	return qmp.Int(n), err == nil
}
