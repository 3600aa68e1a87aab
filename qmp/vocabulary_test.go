package qmp

import (
	"reflect"
	"slices"
	"testing"
)

// vocabulary has every typed command with every field set.
var vocabulary = []Commander{
	BitmapAdd{Node: "n", Name: "b", Granularity: 65536, Persistent: True, Disabled: False},
	BitmapRemove{Node: "n", Name: "b"},
	BitmapClear{Node: "n", Name: "b"},
	BitmapEnable{Node: "n", Name: "b"},
	BitmapDisable{Node: "n", Name: "b"},
	BitmapMerge{Node: "n", Target: "t", Sources: []Bitmap{{Name: "a"}, {Node: "m", Name: "b"}}},
	BlockdevAdd{Node: FileNode{NodeName: "n", Filename: "/f", ReadOnly: False, AutoReadOnly: True, Discard: "unmap"}},
	BlockdevAdd{Node: Qcow2Node{NodeName: "n", ReadOnly: False, Discard: "unmap", File: "s", DataFile: "d", Backing: Null()}},
	BlockdevAdd{Node: RawNode{NodeName: "n", ReadOnly: True, Discard: "ignore", File: "s"}},
	BlockdevDel{NodeName: "n"},
	BlockdevReopen{Nodes: []NodeOptions{Qcow2Node{NodeName: "n", ReadOnly: True, Discard: "unmap", File: "s", DataFile: "d", Backing: Str("b")}}},
	BlockdevCreate{JobID: "j", Image: FileCreate{Filename: "/f", Size: 512, Preallocation: "off"}},
	BlockdevCreate{JobID: "j", Image: Qcow2Create{
		File: "s", Size: 512, Version: "v3", BackingFile: "/b", BackingFormat: "qcow2", ClusterSize: 65536,
		ExtendedL2: False, Preallocation: "metadata", LazyRefcounts: True,
	}},
	BlockdevSnapshot{Node: "n", Overlay: "o"},
	BlockResize{NodeName: "n", Size: 512},
	BlockdevBackup{
		Device: "n", JobID: "j", Target: "t", Sync: "bitmap", Bitmap: "b", BitmapMode: "always", Speed: 1,
		OnSourceError: "report", OnTargetError: "stop", FilterNodeName: "f", Compress: False,
		AutoFinalize: True, AutoDismiss: False,
	},
	BlockJobCancel{Device: "j", Force: True},
	BlockJobSetSpeed{Device: "j", Speed: 1},
	BlockSetWriteThreshold{NodeName: "n", Threshold: 1},
	JobDismiss{ID: "j"}, JobCancel{ID: "j"}, JobPause{ID: "j"}, JobResume{ID: "j"}, JobFinalize{ID: "j"}, JobComplete{ID: "j"},
	NBDServerStart{Addr: UnixAddress{Path: "/s"}, TLSCreds: "tls0", MaxConnections: 10},
	NBDServerStart{Addr: InetAddress{Host: "h", Port: "10809"}, TLSCreds: "tls0", MaxConnections: 10},
	NBDServerStart{Addr: FDAddress{Name: "fd0"}, TLSCreds: "tls0", MaxConnections: 10},
	NBDServerStop{},
	BlockExportAdd{ID: "e", NodeName: "n", Writable: False, Name: "vda", Description: "d", Bitmaps: []Bitmap{{Node: "n", Name: "b"}}},
	BlockExportDel{ID: "e", Mode: "hard"},
	QueryNamedBlockNodes{Flat: True},
	QueryBlock{}, QueryJobs{}, QueryBlockJobs{}, QueryBlockExports{}, QueryStatus{}, QueryVersion{},
	DeviceDel{ID: "d"},
	BlockStream{JobID: "j", Device: "n", BaseNode: "b", Speed: 1, BackingFile: "/b", AutoFinalize: True, AutoDismiss: False},
	BlockCommit{JobID: "j", Device: "n", TopNode: "t", BaseNode: "b", Speed: 1, BackingFile: "/b", AutoFinalize: True, AutoDismiss: False},
	BlockdevMirror{
		JobID: "j", Device: "n", Target: "t", Sync: "full", Speed: 1, Granularity: 65536, BufSize: 65536,
		CopyMode: "background", AutoFinalize: True, AutoDismiss: False,
	},
	Migrate{URI: "unix:/s"}, MigrateCancel{}, MigrateSetBandwidth{MaxBandwidth: 1}, MigrateEvents{}, QueryMigrate{},
	Cont{}, Stop{}, SystemReset{}, SystemPowerdown{}, Quit{},
	HumanMonitorCommand{CommandLine: "info block"},
	Transaction{
		Actions: []Action{
			BitmapAdd{Node: "n", Name: "b"}, BitmapRemove{Node: "n", Name: "b"}, BitmapClear{Node: "n", Name: "b"},
			BitmapEnable{Node: "n", Name: "b"}, BitmapDisable{Node: "n", Name: "b"},
			BitmapMerge{Node: "n", Target: "t"}, BlockdevBackup{Device: "n", Target: "t", Sync: "full"},
			BlockdevSnapshot{Node: "n", Overlay: "o"}, Abort{},
		},
		CompletionMode: "grouped",
	},
}

func TestVocabulary_IsWhatTheSchemaOfQEMUSays(t *testing.T) {
	s := loadSchema(t)
	for _, c := range vocabulary {
		cmd := c.Command()
		t.Run(reflect.TypeOf(c).Name(), func(t *testing.T) {
			if bad := s.Check(cmd); bad != nil {
				t.Errorf("%v: %v", cmd.Args, bad)
			}
			if err := CheckWire(cmd.Message(Int(1))); err != nil {
				t.Error(err)
			}
			eachStruct(reflect.ValueOf(c), func(v reflect.Value) { checkFields(t, s, c, v) })
		})
	}
}

// eachStruct visits v and the structs with tagged fields that it holds.
func eachStruct(v reflect.Value, f func(reflect.Value)) {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			eachStruct(v.Index(i), f)
		}
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[Value]() && v.Type() != reflect.TypeFor[Transaction]():
		f(v)
		for i := range v.NumField() {
			eachStruct(v.Field(i), f)
		}
	}
}

// checkFields holds each tagged field of one struct against the arguments that
// the whole command gives.
func checkFields(t *testing.T, s *Schema, c Commander, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, tagged := field.Tag.Lookup("qmp")
		if !tagged {
			if field.Type.Kind() != reflect.Interface {
				t.Errorf("field %s.%s has no tag", v.Type().Name(), field.Name)
			}
			continue
		}
		if v.Field(i).IsZero() && v.Type() != reflect.TypeFor[Bitmap]() {
			t.Errorf("field %s.%s is not set in the table of this test", v.Type().Name(), field.Name)
		}
		if !hasMember(c.Command().Args, name) {
			t.Errorf("field %s.%s: no member '%s' in %v", v.Type().Name(), field.Name, name, c.Command().Args)
		}
		if !schemaHas(s.commands[c.Command().Name].args, name, map[*dataType]bool{}) {
			t.Errorf("field %s.%s: the schema has no member '%s'", v.Type().Name(), field.Name, name)
		}
	}
}

func hasMember(v Value, name string) bool {
	for _, m := range v.Members() {
		if m.Name == name || hasMember(m.Value, name) {
			return true
		}
	}
	return slices.ContainsFunc(v.Items(), func(item Value) bool { return hasMember(item, name) })
}

func schemaHas(t *dataType, name string, seen map[*dataType]bool) bool {
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	for _, m := range t.members {
		if m.name == name || schemaHas(m.typ, name, seen) {
			return true
		}
	}
	for _, c := range t.cases {
		if schemaHas(c.typ, name, seen) {
			return true
		}
	}
	for _, choice := range t.choices {
		if schemaHas(choice, name, seen) {
			return true
		}
	}
	return schemaHas(t.element, name, seen)
}

// TestVocabulary_LeavesOutWhatIsNotSet takes each member away in turn.
func TestVocabulary_LeavesOutWhatIsNotSet(t *testing.T) {
	s := loadSchema(t)
	for _, c := range vocabulary {
		args := s.commands[c.Command().Name].args
		full := reflect.ValueOf(c)
		for i := range full.NumField() {
			name := full.Type().Field(i).Tag.Get("qmp")
			less := reflect.New(full.Type()).Elem()
			less.Set(full)
			if name == "" || less.Field(i).Kind() == reflect.Interface {
				continue
			}
			less.Field(i).SetZero()
			cmd := less.Interface().(Commander).Command()
			at := slices.IndexFunc(args.members, func(m memberType) bool { return m.name == name })
			optional := at < 0 || args.members[at].optional
			if present := cmd.Args.Get(name).Present(); present == optional {
				t.Errorf("%s.%s is zero and optional %v, but member '%s' is there: %v", full.Type().Name(), full.Type().Field(i).Name, optional, name, present)
			}
			if bad := s.Check(cmd); bad != nil && optional {
				t.Errorf("%v: %v", cmd, bad)
			}
		}
	}
}

func TestVocabulary_SendsWhatTheRecordedPushBackupSent(t *testing.T) {
	sent := map[string]Value{}
	for _, l := range readFixture(t, "30") {
		if l.Dir == FromClient {
			sent[l.Message.Get("id").S()] = l.Message
		}
	}
	backup := func(device, job, target string) Action {
		return BlockdevBackup{Device: device, JobID: job, Target: target, Sync: "full", AutoFinalize: True, AutoDismiss: False}
	}
	bitmap := func(node string) Action {
		return BitmapAdd{Node: node, Name: "chk1", Persistent: True, Disabled: False}
	}
	for id, c := range map[string]Commander{
		"c-6":  QueryNamedBlockNodes{Flat: True},
		"c-7":  BlockdevAdd{FileNode{NodeName: "libvirt-3-storage", Filename: "/var/lib/fleece/full1.qcow2", AutoReadOnly: True, Discard: "unmap"}},
		"c-8":  BlockdevCreate{"create-libvirt-3-format", Qcow2Create{File: "libvirt-3-storage", Size: 16777216}},
		"c-9":  QueryJobs{},
		"c-10": JobDismiss{"create-libvirt-3-format"},
		"c-11": BlockdevAdd{Qcow2Node{NodeName: "libvirt-3-format", ReadOnly: False, File: "libvirt-3-storage", Backing: Null()}},
		"c-17": Transaction{Actions: []Action{
			bitmap("libvirt-1-format"), bitmap("libvirt-2-format"),
			backup("libvirt-1-format", "backup-vda-libvirt-3-format", "libvirt-3-format"),
			backup("libvirt-2-format", "backup-vdb-libvirt-4-format", "libvirt-4-format"),
		}},
		"c-21": BlockdevDel{"libvirt-3-format"},
	} {
		if got := c.Command().Message(Str(id)); !got.Equal(sent[id]) {
			t.Errorf("%s\ngot  %v\nsent %v", id, got, sent[id])
		}
	}
}
