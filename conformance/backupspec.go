package conformance

import (
	"fmt"
	"strings"

	"fleece/virt"
)

// BackupSpec describes a push backup as a spec asks for it.
type BackupSpec struct {
	// Disks lists the disks of the document; nil means all of the domain that
	// are not read-only.
	Disks []BackupDisk
	// Since is the name of the checkpoint to start from (<incremental>); "" is a
	// full backup.
	Since string
	// Over is the backup on whose images those of this one lie. A Since that is
	// empty becomes its checkpoint.
	Over *Backup
	// NoDocument leaves the document out: NULL. Disks must be nil.
	NoDocument bool
	// Checkpoint is the name of a checkpoint made in the same call; "" for none.
	Checkpoint string
	// Tracked lists the disks of the checkpoint; nil leaves the list out.
	Tracked []string
	Flags   virt.DomainBackupBeginFlags
}

// BackupDisk is one disk of a backup.
type BackupDisk struct {
	Target string     // of the domain's disk, "vda"
	Path   string     // of the image; "" means a path under T.Path
	Format string     // "" means qcow2
	Block  bool       // Path is a block device, see T.BlockDevice
	Remote *NBDTarget // an export of a server, whose format is raw; Path must be empty
	Mode   string     // backupmode; "" leaves it out
	Since  string     // the disk's own incremental; "" leaves it out
	Out    bool       // backup='no'
	// Unnamed leaves the target out; Path is what the driver makes of it, once
	// Begin has returned.
	Unnamed bool
}

// XML renders the <domainbackup> document; nil for none.
func (s BackupSpec) XML() *string {
	if s.NoDocument {
		return nil
	}
	var b strings.Builder
	b.WriteString("<domainbackup mode='push'>")
	if s.Since != "" {
		fmt.Fprintf(&b, "<incremental>%s</incremental>", s.Since)
	}
	b.WriteString("<disks>")
	for _, k := range s.Disks {
		b.WriteString(k.xml())
	}
	b.WriteString("</disks></domainbackup>")
	return virt.XML(b.String())
}

func (k BackupDisk) xml() string {
	if k.Out {
		return fmt.Sprintf("<disk name='%s' backup='no'/>", k.Target)
	}
	kind, attr := "file", "file"
	if k.Block {
		kind, attr = "block", "dev"
	}
	modes := ""
	if k.Mode != "" {
		modes = fmt.Sprintf(" backupmode='%s'", k.Mode)
	}
	if k.Since != "" {
		modes += fmt.Sprintf(" incremental='%s'", k.Since)
	}
	target := ""
	if k.Remote != nil {
		return fmt.Sprintf("<disk name='%s' backup='yes' type='network'%s>%s<driver type='raw'/></disk>", k.Target, modes, k.Remote.xml())
	}
	if !k.Unnamed {
		target = fmt.Sprintf("<target %s='%s'/>", attr, k.Path)
	}
	return fmt.Sprintf("<disk name='%s' backup='yes' type='%s'%s>%s<driver type='%s'/></disk>",
		k.Target, kind, modes, target, k.Format)
}

// CheckpointXML renders the <domaincheckpoint> document; nil for no checkpoint.
func (s BackupSpec) CheckpointXML() *string {
	if s.Checkpoint == "" {
		return nil
	}
	disks := ""
	for _, target := range s.Tracked {
		disks += fmt.Sprintf("<disk name='%s' checkpoint='bitmap'/>", target)
	}
	if disks != "" {
		disks = "<disks>" + disks + "</disks>"
	}
	return virt.XML(fmt.Sprintf("<domaincheckpoint><name>%s</name>%s</domaincheckpoint>", s.Checkpoint, disks))
}

// complete fills in what the spec left out.
func (d *Domain) complete(s BackupSpec) BackupSpec {
	if s.Over != nil && s.Since == "" {
		s.Since = s.Over.Spec.Checkpoint
	}
	s.Disks = append([]BackupDisk(nil), s.Disks...)
	if s.Disks == nil {
		for _, k := range d.disks {
			if !k.ReadOnly && !k.NoMedium {
				s.Disks = append(s.Disks, BackupDisk{Target: k.Target})
			}
		}
	}
	for i := range s.Disks {
		k := &s.Disks[i]
		if k.Format == "" {
			k.Format = "qcow2"
		}
		if k.Remote != nil {
			k.Format = "raw"
		}
		if k.Path == "" && !k.Unnamed && !s.NoDocument && k.Remote == nil {
			k.Path = d.t.Path(fmt.Sprintf("%s-%s.%s", d.Name, k.Target, s.extension()))
		}
	}
	return s
}

// extension tells the images of one backup from those of others: the name of the
// checkpoint that it starts.
func (s BackupSpec) extension() string {
	if s.Over == nil {
		return "backup"
	}
	return "after-" + s.Since
}

// since is the name of the checkpoint from which a disk of the backup is copied;
// "" for a full copy.
func (s BackupSpec) since(k BackupDisk) string {
	switch {
	case k.Mode == "full":
		return ""
	case k.Since != "":
		return k.Since
	}
	return s.Since
}

// taking lists the disks that take part.
func (s BackupSpec) taking() []BackupDisk {
	var taking []BackupDisk
	for _, k := range s.Disks {
		if !k.Out {
			taking = append(taking, k)
		}
	}
	return taking
}

// generated reports whether the driver names images of the backup.
func (s BackupSpec) generated() bool {
	if s.NoDocument {
		return true
	}
	for _, k := range s.Disks {
		if k.Unnamed {
			return true
		}
	}
	return false
}

// readNames takes the disks and the names that the driver chose from its
// description of the backup.
func (b *Backup) readNames() {
	xml, err := b.d.BackupGetXMLDesc(b.ID, 0)
	b.d.t.Expect(err).NotTo(haveOccurred(), "describe the backup")
	if b.Spec.NoDocument {
		b.Spec.Disks = nil
		for _, k := range b.d.disks {
			if strings.Contains(xml, "<disk name='"+k.Target+"' backup='yes'") {
				b.Spec.Disks = append(b.Spec.Disks, BackupDisk{Target: k.Target, Format: "qcow2"})
			}
		}
	}
	for i := range b.Spec.Disks {
		k := &b.Spec.Disks[i]
		if k.Out {
			continue
		}
		_, rest, _ := strings.Cut(xml, "<disk name='"+k.Target+"' backup='yes'")
		_, rest, ok := strings.Cut(rest, "<target file='")
		b.d.t.Expect(ok).To(beTrue(), "the description has the name of the image of %s: %s", k.Target, xml)
		k.Path, _, _ = strings.Cut(rest, "'")
	}
}
