package backupdef

import "fleece/driver/xmldoc"

// store reads a target or scratch.
func (p *parser) store(n *xmldoc.Node, d *Disk) {
	attr := "file"
	if d.Type == "block" {
		attr = "dev"
	}
	r := &p.rules
	r.Attrs(n, attr)
	r.NoText(n)
	d.Path = r.Match(n, attr, xmldoc.AbsFilePath)
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

// seclabel is devSeclabel of the schemas: labels are switched off, skipped, or given.
func (p *parser) seclabel(n *xmldoc.Node) {
	r := &p.rules
	r.NoText(n)
	_, skips := n.Attr("labelskip")
	switch relabel := r.Value(n, "relabel", "yes", "no"); {
	case relabel == "no":
		r.Attrs(n, "model", "relabel")
		r.Children(n)
	case skips:
		r.Attrs(n, "model", "labelskip")
		r.Value(n, "labelskip", "yes")
		r.Children(n)
	default:
		r.Attrs(n, "model", "relabel")
		r.List(n, "label")
		for c := n.Child; c != nil; c = c.Next {
			r.TextOnly(c)
		}
	}
}

// encryption is backupEncryption of the schemas.
func (p *parser) encryption(n *xmldoc.Node) {
	r := &p.rules
	r.Attrs(n, "format", "engine")
	r.OneOf(n, "format", "luks")
	r.Value(n, "engine", "qemu")
	r.Children(n, "secret", "cipher", "ivgen")
	if secret := n.First("secret"); secret == nil {
		r.Fail(n, "Expecting an element secret, got nothing")
	} else {
		p.secret(secret)
	}
	cipher, ivgen := n.First("cipher"), n.First("ivgen")
	if cipher == nil && ivgen == nil {
		return
	}
	if cipher == nil || ivgen == nil || !cipher.Before(ivgen) {
		r.Fail(n, "Expecting elements cipher and ivgen, in that order")
		return
	}
	r.Attrs(cipher, "name", "size", "mode", "hash")
	r.Match(cipher, "name", anything)
	r.Match(cipher, "size", xmldoc.UnsignedInt)
	_, mode := cipher.Attr("mode")
	_, hash := cipher.Attr("hash")
	if mode != hash {
		r.Fail(cipher, "Expecting attributes mode and hash, got one of them")
	}
	r.Children(cipher)
	r.Attrs(ivgen, "name", "hash")
	r.Match(ivgen, "name", anything)
	r.Children(ivgen)
}

// secret is the definition of that name in storagecommon.rng.
func (p *parser) secret(n *xmldoc.Node) {
	r := &p.rules
	r.OneOf(n, "type", "passphrase")
	if _, ok := n.Attr("uuid"); ok {
		r.Attrs(n, "type", "uuid")
		r.Match(n, "uuid", uuid)
	} else {
		r.Attrs(n, "type", "usage")
		r.Match(n, "usage", anything)
	}
	r.Children(n)
}

func anything(string) bool { return true }
