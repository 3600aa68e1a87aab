package conformance

import (
	"fmt"
	"strings"

	"fleece/conformance/oracle"
	"fleece/virt"
)

// layer is one image of a disk.
type layer struct{ Path, Format string }

// layers are the images of a disk, the active one first.
func (k *disk) layers() []layer {
	return append([]layer{{k.Path, k.Format}}, k.below...)
}

// openChain opens images as a guest reads them: what one does not hold is read from
// the next.
func (t *T) openChain(layers []layer) image {
	img := t.openImage(layers[0].Path, layers[0].Format)
	if len(layers) == 1 || layers[0].Format == "raw" {
		return img
	}
	below := t.openChain(layers[1:])
	return chain{oracle.Overlay(img, below), img, below}
}

// SnapshotSpec is a snapshot to be made.
type SnapshotSpec struct {
	Name string
	// Disks are those that are listed; nil leaves the choice to the driver, which
	// takes all that can be written.
	Disks []SnapshotDisk
	// Checkpoint is the name of a checkpoint made in the same call; "" for none.
	Checkpoint string
	// Flags are given beside DISK_ONLY.
	Flags virt.DomainSnapshotCreateFlags
}

// SnapshotDisk is one disk of a snapshot.
type SnapshotDisk struct {
	Target string
	No     bool   // takes no part
	Path   string // of the overlay; "" leaves it to the driver
}

// XML renders the <domainsnapshot> document.
func (s SnapshotSpec) XML() *string {
	var b strings.Builder
	fmt.Fprintf(&b, "<domainsnapshot><name>%s</name>", s.Name)
	if s.Disks != nil {
		b.WriteString("<disks>")
		for _, k := range s.Disks {
			switch {
			case k.No:
				fmt.Fprintf(&b, "<disk name='%s' snapshot='no'/>", k.Target)
			case k.Path == "":
				fmt.Fprintf(&b, "<disk name='%s' snapshot='external'/>", k.Target)
			default:
				fmt.Fprintf(&b, "<disk name='%s' snapshot='external'><driver type='qcow2'/><source file='%s'/></disk>", k.Target, k.Path)
			}
		}
		b.WriteString("</disks>")
	}
	b.WriteString("</domainsnapshot>")
	return virt.XML(b.String())
}

// Snapshot is a snapshot that was made.
type Snapshot struct {
	*virt.Snapshot
	Spec SnapshotSpec
	d    *Domain
	at   *oracle.Instant
	// frozen are the images as they are from the snapshot on, by target.
	frozen map[string][]layer
}

// Snapshot makes a snapshot that must be made.
func (d *Domain) Snapshot(s SnapshotSpec) *Snapshot {
	snap, err := d.TrySnapshot(s)
	d.t.Expect(err).NotTo(haveOccurred(), "SnapshotCreateXML of %s", s.Name)
	return snap
}

// TrySnapshot tries to make a snapshot; on an error the Snapshot is nil.
func (d *Domain) TrySnapshot(s SnapshotSpec) (*Snapshot, error) {
	at := d.guest.begin()
	known := contains(d.checkpoints, s.Checkpoint)
	if s.Checkpoint != "" && !known {
		d.noteCheckpoint(s.Checkpoint, at)
	}
	flags := s.Flags | virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
	var handle *virt.Snapshot
	var err error
	if s.Checkpoint != "" {
		handle, err = d.SnapshotCreateXML2(s.XML(), BackupSpec{Checkpoint: s.Checkpoint}.CheckpointXML(), flags)
	} else {
		handle, err = d.SnapshotCreateXML(s.XML(), flags)
	}
	if err != nil {
		if s.Checkpoint != "" && !known {
			d.ForgetCheckpoint(s.Checkpoint)
		}
		return nil, err
	}
	d.guest.returned(at)
	return d.AdoptSnapshot(s, handle, at), nil
}

// LastInstant is the instant of the newest call that may have made something.
func (d *Domain) LastInstant() *oracle.Instant { return d.lastBegin }

// AdoptSnapshot takes over that a snapshot is there: the disks are its overlays.
func (d *Domain) AdoptSnapshot(s SnapshotSpec, handle *virt.Snapshot, at *oracle.Instant) *Snapshot {
	snap := &Snapshot{Snapshot: handle, Spec: s, d: d, at: at, frozen: map[string][]layer{}}
	for _, k := range d.disks {
		if path := s.overlay(k); path != "" {
			snap.frozen[k.Target] = k.layers()
			k.below = k.layers()
			if k.Format != "qcow2" {
				k.ClusterSize = defaultClusterSize
			}
			k.Path, k.Format = path, "qcow2"
			d.t.Keeps(path)
		}
	}
	if !d.gone {
		d.nodes = d.t.nodeNames(d)
	}
	return snap
}

// defaultClusterSize is that of a new qcow2 image, in bytes.
const defaultClusterSize = 64 << 10

// Overlays are the paths of the overlays that a snapshot would have, in order of the
// domain's disks.
func (d *Domain) Overlays(s SnapshotSpec) []string {
	var paths []string
	for _, k := range d.disks {
		if path := s.overlay(k); path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// overlay is the path of a disk's overlay; "" if it takes no part.
func (s SnapshotSpec) overlay(k *disk) string {
	if k.NoMedium || k.ReadOnly {
		return ""
	}
	for _, listed := range s.Disks {
		switch {
		case listed.Target != k.Target:
		case listed.No:
			return ""
		case listed.Path != "":
			return listed.Path
		}
	}
	stem := k.Path
	if dot := strings.LastIndexByte(stem, '.'); dot > strings.LastIndexByte(stem, '/') {
		stem = stem[:dot]
	}
	return stem + "." + s.Name
}

// ExpectBase asks the oracle whether one instant within the call explains all images
// below the overlays, and the bitmaps of the snapshot's checkpoint if the domain was
// powered off, so that they can be read (SNP-01).
func (s *Snapshot) ExpectBase() {
	var e oracle.Evidence
	for _, k := range s.d.disks {
		layers := s.frozen[k.Target]
		if layers == nil {
			continue
		}
		img := s.d.t.openChain(layers)
		defer closeQuietly(img)
		e.Images = append(e.Images, oracle.DiskImage{Disk: s.d.model(k.Target), Image: img})
	}
	if s.d.gone && s.Spec.Checkpoint != "" {
		e.Bitmaps = s.d.bitmaps(s.Spec.Checkpoint)
	}
	s.d.guest.judge("the snapshot", s.at, e)
}

// SnapshotRefusal is a SnapshotCreateXML2 that must fail.
type SnapshotRefusal struct {
	Row        string  // an id of the error catalogue, or words
	XML        *string // <domainsnapshot>; nil is NULL
	Checkpoint *string // <domaincheckpoint>; nil calls SnapshotCreateXML
	Flags      virt.DomainSnapshotCreateFlags
	Code       virt.ErrorNumber
	Text       string // that the message contains
}

// ExpectSnapshotRefused calls, expects that error, and that nothing came of it: no
// file, snapshot or checkpoint, and in QEMU no node, job or bitmap.
func (d *Domain) ExpectSnapshotRefused(rows ...SnapshotRefusal) {
	t := d.t
	for _, row := range rows {
		files, names, snapshots := t.files(), d.checkpointNames(), d.SnapshotNames()
		var err error
		if row.Checkpoint == nil {
			_, err = d.SnapshotCreateXML(row.XML, row.Flags)
		} else {
			_, err = d.SnapshotCreateXML2(row.XML, row.Checkpoint, row.Flags)
		}
		t.Expect(err).To(haveOccurred(), "row %s: the snapshot should have failed", row.Row)
		t.Expect(err).To(matchError(row.Code), "row %s", row.Row)
		t.Expect(err.Error()).To(containText(row.Text), "row %s", row.Row)
		t.ExpectRow(row.Row, err)
		t.Expect(t.files()).To(equal(files), "row %s: files on the host", row.Row)
		t.Expect(d.checkpointNames()).To(equal(names), "row %s: checkpoints", row.Row)
		t.Expect(d.SnapshotNames()).To(equal(snapshots), "row %s: snapshots", row.Row)
		if !d.gone {
			t.ExpectNothingLeft(d)
		}
	}
}

// SnapshotNames lists the names of the domain's snapshots, parents first.
func (d *Domain) SnapshotNames() []string {
	list, err := d.ListAllSnapshots(virt.DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)
	d.t.Expect(err).NotTo(haveOccurred(), "list the snapshots")
	names := []string{}
	for _, s := range list {
		name, err := s.GetName()
		d.t.Expect(err).NotTo(haveOccurred())
		names = append(names, name)
	}
	return names
}

// TrySnapshotUnseen is TrySnapshot whose result may be lost: the snapshot may be
// there though nil is returned. AdoptSnapshot is for that, with LastInstant.
func (d *Domain) TrySnapshotUnseen(s SnapshotSpec) *Snapshot {
	at := d.guest.begin()
	d.lastBegin = at
	d.noteCheckpoint(s.Checkpoint, at)
	handle, err := d.SnapshotCreateXML2(s.XML(), BackupSpec{Checkpoint: s.Checkpoint}.CheckpointXML(), s.Flags|virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
	if err != nil {
		return nil
	}
	d.guest.returned(at)
	return d.AdoptSnapshot(s, handle, at)
}

// TrySnapshotDoomed makes a snapshot of a domain that dies meanwhile.
func (d *Domain) TrySnapshotDoomed(s SnapshotSpec) error {
	d.MayHaveBitmap(s.Checkpoint)
	_, err := d.SnapshotCreateXML2(s.XML(), BackupSpec{Checkpoint: s.Checkpoint}.CheckpointXML(), s.Flags|virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
	return err
}

// Revived says that a domain that crashed runs again; its bitmaps may be spoilt.
func (d *Domain) Revived() {
	d.gone = false
	d.broken = append(d.broken, d.checkpoints...)
	d.nodes = d.t.nodeNames(d)
}

// SnapshotHalted makes a snapshot with HALT: the domain does not run afterwards.
func (d *Domain) SnapshotHalted(s SnapshotSpec) *Snapshot {
	s.Flags |= virt.DOMAIN_SNAPSHOT_CREATE_HALT | virt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
	at := d.guest.begin()
	d.noteCheckpoint(s.Checkpoint, at)
	handle, err := d.SnapshotCreateXML2(s.XML(), BackupSpec{Checkpoint: s.Checkpoint}.CheckpointXML(), s.Flags)
	d.t.Expect(err).NotTo(haveOccurred(), "SnapshotCreateXML2 of %s with HALT", s.Name)
	d.guest.returned(at)
	d.gone = true
	return d.AdoptSnapshot(s, handle, at)
}

// MakeOverlay makes an image that can be laid over a disk's.
func (d *Domain) MakeOverlay(target, path string) {
	k := d.disk(target)
	d.t.must(d.t.createOverlay(path, k.Path, k.Format, k.Size), "make an overlay of "+target)
}
