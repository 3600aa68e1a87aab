package backupdef

import (
	"strconv"

	"fleece/driver/domaindef"
	"fleece/driver/xmldoc"
	"fleece/virt"
)

func unsupported(domain virt.ErrorDomain, format string, args ...any) error {
	return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, domain, format, args...)
}

// Align fills the document in from the disks of the domain
// (virDomainBackupAlignDisks): which disks take part, where to, and from which
// checkpoint. suffix ends generated file names. Listed disks come first, in their
// order, then the others of the domain. All errors are 67.
func (b *Backup) Align(dom *domaindef.Domain, suffix string) error {
	if len(dom.Disks) == 0 {
		return unsupported(virt.FROM_DOMAIN, "domain must have at least one disk to perform backup")
	}
	all := len(b.Disks) == 0
	listed := make([]bool, len(dom.Disks))
	for i := range b.Disks {
		at, err := b.alignListed(&b.Disks[i], dom, listed, suffix)
		if err != nil {
			return err
		}
		listed[at] = true
	}
	for i := range dom.Disks {
		if listed[i] {
			continue
		}
		k := &dom.Disks[i]
		d := Disk{Name: k.Target}
		if all && !k.Empty() && !k.ReadOnly {
			d.Backup, d.Type = true, "file"
			if err := d.generate(k, suffix); err != nil {
				return err
			}
		}
		b.Disks = append(b.Disks, d)
	}
	for i := range b.Disks {
		b.Disks[i].inherit(b.Incremental)
		if b.Mode == Pull {
			b.Disks[i].nameExport()
		}
	}
	return nil
}

// alignListed returns the place of the disk in the domain.
func (b *Backup) alignListed(d *Disk, dom *domaindef.Domain, listed []bool, suffix string) (int, error) {
	at := dom.Disk(d.Name)
	if at < 0 {
		return 0, unsupported(virt.FROM_DOMAIN, "no disk named '%s'", d.Name)
	}
	if listed[at] {
		return 0, unsupported(virt.FROM_DOMAIN, "disk '%s' specified twice", d.Name)
	}
	if !d.Backup {
		return at, nil
	}
	if d.Mode == Incremental && d.Incremental == "" && b.Incremental == "" {
		return 0, unsupported(virt.FROM_DOMAIN,
			"'incremental' backup mode of disk '%s' requires setting 'incremental' field for disk or backup", d.Name)
	}
	if dom.Disks[at].Empty() {
		return 0, unsupported(virt.FROM_DOMAIN, "disk '%s' has no media", d.Name)
	}
	if d.Path == "" {
		return at, d.generate(&dom.Disks[at], suffix)
	}
	return at, nil
}

// generate names the image after the disk's own.
func (d *Disk) generate(k *domaindef.Disk, suffix string) error {
	if k.Top().Type != "file" || d.Type == "block" {
		return unsupported(virt.FROM_DOMAIN, "refusing to generate file name for disk '%s'", d.Name)
	}
	d.Path = k.Top().Path + "." + suffix
	return nil
}

// inherit settles mode and checkpoint of a disk that takes part.
func (d *Disk) inherit(incremental string) {
	if !d.Backup {
		return
	}
	switch {
	case d.Format != "":
	case d.Type == Network:
		d.Format = "raw"
	default:
		d.Format = "qcow2"
	}
	if d.Mode == "" {
		d.Mode = Full
		if d.Incremental != "" || incremental != "" {
			d.Mode = Incremental
		}
	}
	if d.Mode == Incremental && d.Incremental == "" {
		d.Incremental = incremental
	}
}

// nameExport gives the names that the caller left out (PUL-05).
func (d *Disk) nameExport() {
	switch {
	case !d.Backup:
		return
	case d.Mode != Incremental:
		d.ExportBitmap = "" // there is none; the schema lets it through
	case d.ExportBitmap == "":
		d.ExportBitmap = "backup-" + d.Name
	}
	if d.ExportName == "" {
		d.ExportName = d.Name
	}
}

// DefaultServer settles where a pull backup is exported whose document does not
// say: by TCP on this host. The port is the caller's to find.
func (b *Backup) DefaultServer() {
	if b.Server == nil {
		b.Server = &Server{Transport: "tcp", Name: "localhost"}
	}
}

func (b *Backup) formatDisk(w *xmldoc.Writer, d *Disk) {
	if !d.Backup {
		w.Empty("disk", "name", d.Name, "backup", "no")
		return
	}
	index := ""
	if d.Index > 0 {
		index = itoa(d.Index)
	}
	attrs := []string{"name", d.Name, "backup", "yes", "type", d.Type, "backupmode", d.Mode, "incremental",
		d.Incremental, "exportname", d.ExportName, "exportbitmap", d.ExportBitmap, "index", index}
	if d.Format == "" && d.Path == "" {
		w.Empty("disk", attrs...)
		return
	}
	w.Open("disk", attrs...)
	if d.Format != "" {
		w.Empty("driver", "type", d.Format)
	}
	b.formatStore(w, d)
	w.Close("disk")
}

func (b *Backup) formatStore(w *xmldoc.Writer, d *Disk) {
	if d.Path == "" {
		return
	}
	if d.Remote != nil {
		d.Remote.format(w)
		return
	}
	name, attr := "target", "file"
	if b.Mode == Pull {
		name = "scratch"
	}
	if d.Type == "block" {
		attr = "dev"
	}
	if len(d.extra) == 0 {
		w.Empty(name, attr, d.Path)
		return
	}
	w.Open(name, attr, d.Path)
	for _, n := range d.extra {
		w.Tree(n)
	}
	w.Close(name)
}

func itoa(n int) string { return strconv.Itoa(n) }
