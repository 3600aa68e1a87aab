package backupdef

import (
	"strconv"

	"fleece/driver/xmldoc"
	"fleece/virt"
)

// Default is the document for a NULL diskXml: a full push of all disks.
func Default() *Backup { return &Backup{Mode: Push} }

// Parse reads a document. Errors in order: 35, 27, 92, then 8 for a port out of
// range and 27 for a format that the grammar has and the code has not.
func Parse(text string) (*Backup, error) {
	root, err := xmldoc.Parse("domain_backup", text)
	if err != nil {
		return nil, err
	}
	if root.Name != "domainbackup" {
		return nil, xmldoc.WrongRoot("domainbackup", root.Name)
	}
	p := parser{rules: xmldoc.Rules{Schema: "domainbackup.rng"}}
	b := p.backup(root)
	if err := p.rules.Err(); err != nil {
		return nil, err
	}
	return b, b.check()
}

// parser checks the grammar and builds the backup in one pass. Where the grammar
// differs from libvirt's 9.0 the comment says "relaxed" (contract row 13).
type parser struct{ rules xmldoc.Rules }

func (p *parser) backup(root *xmldoc.Node) *Backup {
	r := &p.rules
	r.Attrs(root, "mode")
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
	// Relaxed: a pull backup may leave the server out.
	if n := root.First("server"); n != nil && b.Mode == Pull {
		b.Server = p.server(n)
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
	s := &Server{Transport: r.Value(n, "transport", "tcp", "unix"), TLS: r.Value(n, "tls", "yes", "no")}
	if s.Transport == "unix" {
		r.Attrs(n, "transport", "tls", "socket")
		s.Socket = r.Match(n, "socket", xmldoc.AbsolutePath)
		return s
	}
	s.Transport = "tcp"
	r.Attrs(n, "transport", "tls", "name", "port")
	s.Name = r.Match(n, "name", hostName)
	if port, ok := n.Attr("port"); ok {
		if _, err := strconv.ParseUint(port, 10, 32); err != nil || !xmldoc.Digits(port) {
			r.Fail(n, "Element server failed to validate attribute port")
		}
		s.Port = port
	}
	return s
}

// hostName is dnsName or ipAddr of the schemas.
func hostName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !xmldoc.Alphanumeric(c) && c != '.' && c != '-' && c != ':' && c != '_' {
			return false
		}
	}
	return s != ""
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
	if mode == Push { // an extension of ours: contract row 15
		d.Type = r.Value(n, "type", "file", "block", Network)
	} else {
		d.Type = r.Value(n, "type", "file", "block")
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
	c := n.First(store)
	switch {
	case d.Type == Network && c == nil:
		r.Fail(n, "Expecting an element target, got nothing")
	case d.Type == Network:
		p.remote(c, &d)
	case c != nil:
		p.store(c, &d)
	}
	return d
}

// leftOut is a disk with backup='no': the rest of it means nothing.
func (p *parser) leftOut(n *xmldoc.Node, d Disk) Disk {
	if d.Type != "" {
		p.rules.Fail(n, "Invalid attribute type for element disk")
	}
	p.rules.Children(n)
	return Disk{Name: d.Name}
}

// typeOf applies the rule that a push disk names its type. Relaxed: a disk with a
// name and backup='yes' and nothing more gets all defaults; a pull disk always may.
func (p *parser) typeOf(n *xmldoc.Node, d *Disk, mode string) {
	if d.Type != "" {
		return
	}
	d.Type = "file"
	bare := n.Child == nil && d.Mode == "" && d.Incremental == ""
	if mode == Push && !bare {
		p.rules.Fail(n, "Element disk misses attribute type")
	}
}

func (p *parser) driver(n *xmldoc.Node, d *Disk, mode string) {
	p.rules.Attrs(n, "type")
	p.rules.Children(n)
	d.Format = p.rules.Match(n, "type", func(s string) bool {
		return s == "qcow2" || mode == Push && knownFormat(s)
	})
}

// knownFormat is storageFormat of the schemas.
func knownFormat(s string) bool {
	switch s {
	case "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "luks",
		"cow", "qcow", "qcow2", "qed", "vmdk":
		return true
	}
	return false
}

func (p *parser) store(n *xmldoc.Node, d *Disk) {
	attr := "file"
	if d.Type == "block" {
		attr = "dev"
	}
	r := &p.rules
	r.Attrs(n, attr)
	d.Path = r.Match(n, attr, xmldoc.AbsolutePath)
	if n.TrimmedText() != "" {
		r.Fail(n, "Did not expect text in element %s content", n.Name)
	}
	encrypted := false
	for c := n.Child; c != nil; c = c.Next {
		switch {
		case c.Name == "seclabel":
			p.seclabel(c)
		case c.Name == "encryption" && !encrypted:
			encrypted = true
			p.encryption(c)
		default:
			r.Fail(c, "Did not expect element %s there", c.Name)
		}
		d.extra = append(d.extra, c)
	}
}

func (p *parser) seclabel(n *xmldoc.Node) {
	p.rules.Attrs(n, "model", "relabel", "labelskip")
	p.rules.Value(n, "relabel", "yes", "no")
	p.rules.Value(n, "labelskip", "yes", "no")
	p.rules.Children(n, "label")
	if label := n.First("label"); label != nil {
		p.rules.TextOnly(label)
	}
}

func (p *parser) encryption(n *xmldoc.Node) {
	r := &p.rules
	r.Attrs(n, "format", "engine")
	r.Match(n, "format", func(s string) bool { return s == "luks" })
	r.Value(n, "engine", "qemu")
	r.Children(n, "secret", "cipher", "ivgen")
	if secret := n.First("secret"); secret == nil {
		r.Fail(n, "Expecting an element secret, got nothing")
	} else {
		r.Attrs(secret, "type", "uuid", "usage")
		r.Match(secret, "type", func(s string) bool { return s == "passphrase" || s == "volume" })
		r.Children(secret)
	}
	if (n.First("cipher") == nil) != (n.First("ivgen") == nil) {
		r.Fail(n, "Expecting elements cipher and ivgen, got one of them")
	}
}

// check is what the code looks at after the grammar.
func (b *Backup) check() error {
	if s := b.Server; s != nil && s.Port != "" {
		if n, err := strconv.ParseUint(s.Port, 10, 64); err != nil || n > 65535 {
			return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_NONE, "port '%s' out of range", s.Port)
		}
	}
	for i := range b.Disks {
		if d := &b.Disks[i]; d.Format == "luks" {
			return virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN, "unknown storage source format '%s'", d.Format)
		}
	}
	return nil
}
