package backupdef

import (
	"slices"
	"strconv"

	"fleece/driver/xmldoc"
	"fleece/virt"
)

// Default is the document for a NULL diskXml: a full push of all disks.
func Default() *Backup { return &Backup{Mode: Push} }

// Parse reads a document. Errors in order: 35, 27, 92, then those of the code: 8 for a
// port out of range, 27 and 67 for what the grammar lets through and the code does not.
func Parse(text string) (*Backup, error) {
	p, b, err := grammar(text)
	if err != nil {
		return nil, err
	}
	if err := p.rules.Code(); err != nil {
		return nil, err
	}
	return b, b.check()
}

// grammar is the part of Parse that libvirt leaves to libxml2. The errors are 35, 27
// and 92; the parser knows which relaxations were needed.
func grammar(text string) (*parser, *Backup, error) {
	root, err := xmldoc.Parse("domain_backup", text)
	if err != nil {
		return nil, nil, err
	}
	if root.Name != "domainbackup" {
		return nil, nil, xmldoc.WrongRoot("domainbackup", root.Name)
	}
	p := &parser{rules: xmldoc.Rules{Schema: "domainbackup.rng"}}
	b := p.backup(root)
	return p, b, p.rules.Err()
}

// relaxation is a set of the ways in which a document is not libvirt's 9.0, and taken
// all the same (contract rows 13 and 15). A document that needs none is judged as
// libvirt's schema does.
type relaxation uint8

const (
	serverLeftOut  relaxation = 1 << iota // of a pull backup: one is chosen (PUL-05)
	typeLeftOut                           // of a disk with nothing in it: a file
	scratchLeftOut                        // of a disk with a driver or a type: a name is made
	networkTarget                         // type='network' (BEG-17)
)

// parser checks the grammar and builds the backup in one pass.
type parser struct {
	rules   xmldoc.Rules
	relaxed relaxation
}

func (p *parser) backup(root *xmldoc.Node) *Backup {
	r := &p.rules
	r.Attrs(root, "mode")
	if mode, ok := root.Attr("mode"); ok && mode != Push && mode != Pull {
		r.Later(unsupported(virt.FROM_DOMAIN, "unknown backup mode '%s'", mode))
	}
	b := &Backup{Mode: r.Value(root, "mode", Push, Pull)}
	if b.Mode == Pull {
		r.Children(root, "incremental", "server", "disks")
	} else {
		b.Mode = Push
		r.Children(root, "incremental", "disks")
	}
	if n := root.First("incremental"); n != nil {
		r.TextOnly(n)
		b.Incremental = n.Text
	}
	switch n := root.First("server"); {
	case n != nil && b.Mode == Pull:
		b.Server = p.server(n)
	case b.Mode == Pull:
		p.relaxed |= serverLeftOut
	}
	if n := root.First("disks"); n != nil {
		r.Attrs(n)
		r.List(n, "disk")
		for d := n.Child; d != nil && r.Err() == nil; d = d.Next {
			b.Disks = append(b.Disks, p.disk(d, b.Mode))
		}
	}
	return b
}

func (p *parser) server(n *xmldoc.Node) *Server {
	r := &p.rules
	r.Children(n)
	if t, ok := n.Attr("transport"); ok && t != "tcp" && t != "unix" {
		r.Later(unsupported(virt.FROM_DOMAIN, "unknown protocol transport type '%s'", t))
	}
	s := &Server{Transport: r.Value(n, "transport", "tcp", "unix"), TLS: r.Value(n, "tls", "yes", "no")}
	if s.Transport == "unix" {
		r.Attrs(n, "transport", "tls", "socket")
		s.Socket = r.Match(n, "socket", xmldoc.AbsFilePath)
		return s
	}
	s.Transport = "tcp"
	r.Attrs(n, "transport", "tls", "name", "port")
	s.Name = r.Match(n, "name", hostName)
	if _, ok := n.Attr("port"); ok {
		s.Port = r.Match(n, "port", xmldoc.UnsignedInt)
	}
	return s
}

func (p *parser) disk(n *xmldoc.Node, mode string) Disk {
	r := &p.rules
	allowed := []string{"name", "backup", "type", "backupmode", "incremental", "exportname", "exportbitmap"}
	if mode == Push {
		allowed = allowed[:5]
	}
	r.Attrs(n, allowed...)
	d := Disk{
		Name: r.Match(n, "name", xmldoc.DiskTarget), Backup: r.Value(n, "backup", "yes", "no") != "no",
		Mode: r.Value(n, "backupmode", Full, Incremental), Incremental: n.AttrOr("incremental", ""),
		ExportName: n.AttrOr("exportname", ""), ExportBitmap: n.AttrOr("exportbitmap", ""),
	}
	if _, ok := n.Attr("incremental"); ok && d.Mode == Full {
		r.Fail(n, "Invalid attribute incremental for element disk")
	}
	if !d.Backup {
		return p.leftOut(n, d)
	}
	p.typeOf(n, &d, mode)
	store := "target"
	if mode == Pull {
		store = "scratch"
	}
	r.Children(n, "driver", store)
	if c := n.First("driver"); c != nil {
		p.driver(c, &d, mode)
	}
	switch c := n.First(store); {
	case d.Type == Network && c == nil:
		r.Fail(n, "Expecting an element target, got nothing")
	case d.Type == Network:
		p.remote(c, &d)
	case c != nil:
		p.store(c, &d)
	case mode == Pull && (n.Child != nil || d.Type == "block"):
		p.relaxed |= scratchLeftOut
	}
	return d
}

// leftOut is a disk with backup='no': the rest of it means nothing.
func (p *parser) leftOut(n *xmldoc.Node, d Disk) Disk {
	if _, ok := n.Attr("type"); ok {
		p.rules.Fail(n, "Invalid attribute type for element disk")
	}
	p.rules.Children(n)
	return Disk{Name: d.Name}
}

// typeOf applies the rule that a disk names its type, unless it is of a pull backup
// and does not say backup='yes' either. Relaxed for a disk with nothing in it.
func (p *parser) typeOf(n *xmldoc.Node, d *Disk, mode string) {
	types := []string{"file", "block", Network}
	if mode == Pull {
		types = types[:2]
	}
	if t, ok := n.Attr("type"); ok {
		if !slices.Contains(types, t) {
			p.rules.Later(virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN, "unknown storage source type '%s'", t))
		}
		if d.Type = p.rules.Value(n, "type", types...); d.Type == Network {
			p.relaxed |= networkTarget
		}
		return
	}
	d.Type = "file"
	_, said := n.Attr("backup")
	switch {
	case mode == Pull && !said:
	case n.Child == nil && (mode == Pull || d.Mode == "" && d.Incremental == ""):
		p.relaxed |= typeLeftOut
	default:
		p.rules.Fail(n, "Element disk misses attribute type")
	}
}

func (p *parser) driver(n *xmldoc.Node, d *Disk, mode string) {
	r := &p.rules
	r.Attrs(n, "type")
	r.Children(n)
	if f, ok := n.Attr("type"); ok && f != "qcow2" && !slices.Contains(storageFormats(), f) {
		r.Later(virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN, "unknown storage source format '%s'", f))
	}
	if mode == Pull {
		d.Format = r.OneOf(n, "type", "qcow2")
	} else {
		d.Format = r.OneOf(n, "type", storageFormats()...)
	}
}

// storageFormats is storageFormat of the schemas.
func storageFormats() []string {
	return []string{"raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "luks",
		"cow", "qcow", "qcow2", "qed", "vmdk"}
}

// check is what the code looks at after the grammar.
func (b *Backup) check() error {
	if s := b.Server; s != nil {
		if n, err := strconv.ParseUint(s.Port, 10, 64); s.Port != "" && (err != nil || n > 65535) {
			return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_NONE, "port '%s' out of range", s.Port)
		}
		if s.Transport == "unix" && !xmldoc.AbsolutePath(s.Socket) {
			return virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN, "backup socket path '%s' must be absolute", s.Socket)
		}
	}
	for i := range b.Disks {
		d := &b.Disks[i]
		if d.Format == "luks" {
			return virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN, "unknown storage source format '%s'", d.Format)
		}
		if d.Path != "" && d.Remote == nil && !xmldoc.AbsolutePath(d.Path) {
			return virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN, "disk backup image path '%s' must be absolute", d.Path)
		}
	}
	return nil
}
