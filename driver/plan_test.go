package driver

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fleece/driver/backupdef"
	"fleece/driver/checkpointdef"
	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

func good(name string) qmp.DirtyBitmap {
	return qmp.DirtyBitmap{Name: name, Granularity: 65536, Recording: true, Persistent: true}
}

// layersOf makes a chain of nodes, the active one first, each with its bitmaps.
func layersOf(bitmaps ...[]qmp.DirtyBitmap) ([]qmp.NamedNode, []domaindef.Node) {
	var nodes []qmp.NamedNode
	var layers []domaindef.Node
	for i, list := range bitmaps {
		n := domaindef.Node(i + 1)
		layers = append(layers, n)
		nodes = append(nodes, qmp.NamedNode{NodeName: n.Format(), Bitmaps: list})
	}
	return nodes, layers
}

func TestBitmapChain_IsValidOnlyWithoutGapAndFault(t *testing.T) {
	type list = []qmp.DirtyBitmap
	broken := func(change func(*qmp.DirtyBitmap)) list {
		b := good("c")
		change(&b)
		return list{b}
	}
	cases := []struct {
		name   string
		layers []list
		want   int // length of a valid chain; 0 for none
	}{
		{"in one image", []list{{good("x"), good("c")}}, 1},
		{"in no image", []list{{good("x")}}, 0},
		{"in the active image and the next", []list{{good("c")}, {good("c")}, {}}, 2},
		{"not in the active image", []list{{}, {good("c")}}, 0},
		{"with a gap", []list{{good("c")}, {}, {good("c")}}, 0},
		{"inconsistent", []list{broken(func(b *qmp.DirtyBitmap) { b.Inconsistent = true })}, 0},
		{"not recording", []list{broken(func(b *qmp.DirtyBitmap) { b.Recording = false })}, 0},
		{"transient", []list{broken(func(b *qmp.DirtyBitmap) { b.Persistent = false })}, 0},
		{"broken in a lower image", []list{{good("c")}, broken(func(b *qmp.DirtyBitmap) { b.Inconsistent = true })}, 0},
	}
	for _, c := range cases {
		nodes, layers := layersOf(c.layers...)
		chain, ok := bitmapChain(nodes, layers, "c")
		if ok != (c.want > 0) || len(chain) != c.want {
			t.Errorf("%s: ok %v, %d instances", c.name, ok, len(chain))
		}
	}
}

func TestTransaction_HasLibvirtsOrderAndArguments(t *testing.T) {
	dom, err := domaindef.Parse(`<domain><name>a</name><memory>1</memory><os><type>hvm</type></os><devices>
<disk><driver type='qcow2'/><source file='/a'/><target dev='vda'/></disk>
<disk><driver type='qcow2'/><source file='/b'/><target dev='vdb'/></disk></devices></domain>`)
	if err != nil {
		t.Fatal(err)
	}
	plans, _ := dom.Number()
	chk := &checkpointdef.Checkpoint{Name: "c2"}
	if err := chk.Align(dom); err != nil {
		t.Fatal(err)
	}
	full := &disk{
		Disk: &state.Disk{Name: "vda", Node: 3, Source: "libvirt-2-format", Job: "backup-vda-libvirt-2-format"},
		def:  &backupdef.Disk{Name: "vda", Format: "qcow2"},
	}
	inc := &disk{
		Disk: &state.Disk{Name: "vdb", Node: 4, Source: "libvirt-1-format", Job: "backup-vdb-libvirt-1-format", Bitmap: "backup-vdb"},
		def:  &backupdef.Disk{Name: "vdb", Format: "qcow2"},
	}
	nodes, layers := layersOf([]qmp.DirtyBitmap{good("c1")}, []qmp.DirtyBitmap{good("c1")})
	if err := inc.plan.planIncremental(nodes, layers, "c1", "vdb"); err != nil {
		t.Fatal(err)
	}
	actions := append(checkpointActions(chk, dom, plans), append(full.actions(), inc.actions()...)...)
	var got []string
	for _, a := range actions {
		got = append(got, string(qmp.Encode(a.Action())))
	}
	want := []string{
		`{"type": "block-dirty-bitmap-add", "data": {"node": "libvirt-2-format", "name": "c2", "persistent": true, "disabled": false}}`,
		`{"type": "block-dirty-bitmap-add", "data": {"node": "libvirt-1-format", "name": "c2", "persistent": true, "disabled": false}}`,
		`{"type": "blockdev-backup", "data": {"device": "libvirt-2-format", "job-id": "backup-vda-libvirt-2-format", "target": "libvirt-3-format", "sync": "full", "auto-finalize": true, "auto-dismiss": false}}`,
		`{"type": "block-dirty-bitmap-add", "data": {"node": "libvirt-1-format", "name": "backup-vdb", "persistent": false, "disabled": true, "granularity": 65536}}`,
		`{"type": "block-dirty-bitmap-merge", "data": {"node": "libvirt-1-format", "target": "backup-vdb", "bitmaps": [{"node": "libvirt-1-format", "name": "c1"}, {"node": "libvirt-2-format", "name": "c1"}]}}`,
		`{"type": "blockdev-backup", "data": {"device": "libvirt-1-format", "job-id": "backup-vdb-libvirt-1-format", "target": "libvirt-4-format", "sync": "incremental", "bitmap": "backup-vdb", "auto-finalize": true, "auto-dismiss": false}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTarget_HasLibvirtsArguments(t *testing.T) {
	k := &disk{
		Disk: &state.Disk{Name: "vda", Node: 5}, def: &backupdef.Disk{Type: "file", Path: "/t/a", Format: "qcow2"},
		plan: diskPlan{size: 1 << 20, clusterSize: 65536, backing: "libvirt-2-format", backingPath: "/i/a", backingFmt: "qcow2"},
	}
	raw := &disk{Disk: k.Disk, def: &backupdef.Disk{Type: "block", Path: "/dev/x", Format: "raw"}, plan: diskPlan{size: 512}}
	for want, got := range map[string]qmp.Value{
		`{"driver": "file", "filename": "/t/a", "node-name": "libvirt-5-storage", "auto-read-only": true, "discard": "unmap"}`:                                                                       k.storageNode().Options(),
		`{"node-name": "libvirt-5-format", "read-only": false, "driver": "qcow2", "file": "libvirt-5-storage", "backing": "libvirt-2-format"}`:                                                       k.formatNode().Options(),
		`{"job-id": "create-libvirt-5-format", "options": {"driver": "qcow2", "file": "libvirt-5-storage", "size": 1048576, "backing-file": "/i/a", "backing-fmt": "qcow2", "cluster-size": 65536}}`: k.formatImage().Command().Args,
		`{"driver": "host_device", "filename": "/dev/x", "node-name": "libvirt-5-storage", "auto-read-only": true, "discard": "unmap"}`:                                                              raw.storageNode().Options(),
		`{"node-name": "libvirt-5-format", "read-only": false, "driver": "raw", "file": "libvirt-5-storage"}`:                                                                                        raw.formatNode().Options(),
		`{"job-id": "create-libvirt-5-storage", "options": {"driver": "file", "filename": "/dev/x", "size": 512}}`:                                                                                   raw.storageImage().Command().Args,
	} {
		if string(qmp.Encode(got)) != want {
			t.Errorf("got  %s\nwant %s", qmp.Encode(got), want)
		}
	}
}

// TestOutcome_IsTheWorstOfTheDisks states §5.5 for every combination of disks.
func TestOutcome_IsTheWorstOfTheDisks(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := &backup{st: &state.Backup{}, def: &backupdef.Backup{Mode: backupdef.Push}}
		failed, cancelled := false, false
		for i := range rapid.IntRange(1, 4).Draw(r, "disks") {
			s := state.DiskState(rapid.IntRange(int(state.DiskComplete), int(state.DiskCancelled)).Draw(r, "state"))
			b.disks = append(b.disks, &disk{Disk: &state.Disk{Name: fmt.Sprint(i), State: s}})
			failed, cancelled = failed || s == state.DiskFailed, cancelled || s == state.DiskCancelled
		}
		want := virt.DOMAIN_JOB_COMPLETED
		switch {
		case failed:
			want = virt.DOMAIN_JOB_FAILED
		case cancelled:
			want = virt.DOMAIN_JOB_CANCELLED
		}
		if got := b.outcome(); got != want {
			r.Fatalf("got %d, want %d", got, want)
		}
	})
}

func TestADiskWhoseNodeQEMUDoesNotListCannotBeMeasured(t *testing.T) { // E145
	err := new(diskPlan).measure(nil, "libvirt-1-format", "qcow2", "qcow2")
	e, ok := err.(*virt.Error)
	if !ok || e.Code != virt.ERR_INTERNAL_ERROR || e.Message != "internal error: failed to update capacity data for block node 'libvirt-1-format'" {
		t.Errorf("the error is %v", err)
	}
}
