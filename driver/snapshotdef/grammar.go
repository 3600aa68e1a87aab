package snapshotdef

import (
	"strconv"
	"strings"

	"fleece/driver/xmldoc"
)

// checkGrammar is domainsnapshot.rng of libvirt 9.0; the error is a 92. The embedded
// <domain> and <inactiveDomain> are not looked into.
func checkGrammar(root *xmldoc.Node) error {
	g := grammar{xmldoc.Rules{Schema: "domainsnapshot.rng"}}
	g.snapshot(root)
	return g.rules.Err()
}

type grammar struct{ rules xmldoc.Rules }

func (g *grammar) snapshot(root *xmldoc.Node) {
	r := &g.rules
	r.Attrs(root)
	r.Children(root, "name", "description", "state", "creationTime", "memory", "disks", "active",
		"domain", "inactiveDomain", "parent", "cookie")
	for c := root.Child; c != nil; c = c.Next {
		switch c.Name {
		case "name", "description", "creationTime":
			r.TextOnly(c)
		case "state":
			g.text(c, func(s string) bool { return knownState(s) && s != "nostate" && s != "pmsuspended" })
		case "active":
			g.text(c, func(s string) bool { return s == "0" || s == "1" })
		case "memory":
			g.memory(c)
		case "disks":
			r.Attrs(c)
			g.sequence(c, many("disk", g.disk))
		case "parent":
			r.Attrs(c)
			g.sequence(c, one("name", r.TextOnly))
		case "cookie":
			r.Attrs(c)
			if c.TrimmedText() != "" {
				r.Fail(c, "Did not expect text in element cookie content")
			}
		}
	}
}

// text wants text that satisfies a test once white space around it is gone.
func (g *grammar) text(n *xmldoc.Node, test func(string) bool) {
	g.rules.TextOnly(n)
	if !test(n.TrimmedText()) {
		g.rules.Fail(n, "Error validating value of element %s", n.Name)
	}
}

func (g *grammar) memory(n *xmldoc.Node) {
	r := &g.rules
	r.Children(n)
	switch r.Value(n, "snapshot", No, Internal, External) {
	case No, Internal:
		r.Attrs(n, "snapshot")
	default:
		r.Attrs(n, "snapshot", "file")
		r.Match(n, "file", xmldoc.AbsFilePath)
	}
}

func (g *grammar) disk(n *xmldoc.Node) {
	r := &g.rules
	r.Match(n, "name", func(s string) bool { return xmldoc.DiskTarget(s) || xmldoc.AbsFilePath(s) })
	switch r.Value(n, "snapshot", No, Internal, External, Manual) {
	case No, Internal, Manual:
		r.Attrs(n, "name", "snapshot")
		r.Children(n)
		return
	}
	r.Attrs(n, "name", "snapshot", "type")
	switch r.Value(n, "type", "file", "block", "network") {
	case "block":
		r.Children(n, "source", "driver")
		g.localSource(n.First("source"), "dev", true)
	case "network":
		r.Children(n, "source")
		g.networkSource(n)
	default:
		r.Children(n, "source", "driver")
		g.localSource(n.First("source"), "file", false)
	}
	if d := n.First("driver"); d != nil {
		g.driver(d)
	}
}

func (g *grammar) driver(n *xmldoc.Node) {
	g.rules.Attrs(n, "type")
	g.rules.Value(n, "type", "cow", "qcow", "qcow2", "qed", "vmdk")
	g.sequence(n, maybe("metadata_cache", func(c *xmldoc.Node) {
		g.rules.Attrs(c)
		g.sequence(c, maybe("max_size", g.scaled))
	}))
}

// scaled is scaledInteger.
func (g *grammar) scaled(n *xmldoc.Node) {
	if n.Child != nil {
		g.rules.Fail(n.Child, "Did not expect element %s there", n.Child.Name)
	}
	g.rules.Attrs(n, "unit")
	if _, ok := n.Attr("unit"); ok {
		g.rules.Match(n, "unit", unit)
	}
	if !unsigned(n.TrimmedText(), 64) {
		g.rules.Fail(n, "Error validating datatype unsignedLong of element %s", n.Name)
	}
}

// unit is ([bB]([yY][tT][eE][sS]?)?)|([kKmMgGtTpPeE]([iI]?[bB])?).
func unit(s string) bool {
	s = strings.ToLower(s)
	switch s {
	case "b", "byte", "bytes":
		return true
	case "":
		return false
	}
	return strings.IndexByte("kmgtpe", s[0]) >= 0 && (s[1:] == "" || s[1:] == "b" || s[1:] == "ib")
}

// localSource is the source of an overlay that is a file or block device.
func (g *grammar) localSource(n *xmldoc.Node, attr string, required bool) {
	if n == nil {
		return
	}
	r := &g.rules
	r.Attrs(n, attr, "index")
	if _, ok := n.Attr(attr); ok || required {
		r.Match(n, attr, xmldoc.AbsFilePath)
	}
	g.index(n)
	g.sequence(n, many("seclabel", g.seclabel), maybe("slices", g.slices), maybe("encryption", g.encryption))
}

func (g *grammar) index(n *xmldoc.Node) {
	if _, ok := n.Attr("index"); ok {
		g.rules.Match(n, "index", positive)
	}
}

func (g *grammar) seclabel(n *xmldoc.Node) {
	r := &g.rules
	_, skip := n.Attr("labelskip")
	relabel := r.Value(n, "relabel", "yes", "no")
	switch {
	case skip:
		r.Attrs(n, "model", "labelskip")
		r.Value(n, "labelskip", "yes")
		r.Children(n)
	case relabel == "no":
		r.Attrs(n, "model", "relabel")
		r.Children(n)
	default:
		r.Attrs(n, "model", "relabel")
		r.Value(n, "relabel", "yes")
		r.List(n, "label")
		g.sequence(n, many("label", r.TextOnly))
	}
}

func (g *grammar) slices(n *xmldoc.Node) {
	g.rules.Attrs(n)
	g.sequence(n, one("slice", func(c *xmldoc.Node) {
		r := &g.rules
		r.Children(c)
		r.Attrs(c, "type", "offset", "size")
		r.Match(c, "type", func(s string) bool { return s == "storage" })
		r.Match(c, "offset", func(s string) bool { return unsigned(s, 32) })
		r.Match(c, "size", positive)
	}))
}

func (g *grammar) encryption(n *xmldoc.Node) {
	r := &g.rules
	r.Attrs(n, "format", "engine")
	r.Match(n, "format", oneOf("default", "qcow", "luks", "luks2"))
	r.Value(n, "engine", "qemu", "librbd")
	if n.Child == nil {
		r.Children(n)
		return
	}
	r.Children(n, "secret", "cipher", "ivgen")
	secret, cipher, ivgen := n.First("secret"), n.First("cipher"), n.First("ivgen")
	if secret == nil {
		r.Fail(n, "Expecting an element secret, got nothing")
		return
	}
	g.secret(secret, func(string) bool { return true }, "passphrase")
	if (cipher == nil) != (ivgen == nil) {
		r.Fail(n, "Expecting elements cipher and ivgen, got one of them")
	}
	if cipher == nil || ivgen == nil {
		return
	}
	r.Children(cipher)
	r.Attrs(cipher, "name", "size", "mode", "hash")
	r.Match(cipher, "name", anything)
	r.Match(cipher, "size", func(s string) bool { return unsigned(s, 32) })
	if _, mode := cipher.Attr("mode"); mode {
		r.Match(cipher, "hash", anything)
	} else {
		r.Attrs(cipher, "name", "size")
	}
	r.Children(ivgen)
	r.Attrs(ivgen, "name", "hash")
	r.Match(ivgen, "name", anything)
}

// secret is a secret by UUID or usage, and not by both.
func (g *grammar) secret(n *xmldoc.Node, usage func(string) bool, types ...string) {
	r := &g.rules
	r.Children(n)
	r.Match(n, "type", oneOf(types...))
	if _, ok := n.Attr("uuid"); ok {
		r.Attrs(n, "type", "uuid")
		r.Match(n, "uuid", uuid)
	} else {
		r.Attrs(n, "type", "usage")
		r.Match(n, "usage", usage)
	}
}

func anything(string) bool { return true }

func oneOf(values ...string) func(string) bool {
	return func(s string) bool {
		s = xmldoc.Token(s)
		for _, v := range values {
			if s == v {
				return true
			}
		}
		return false
	}
}

// unsigned is unsignedInt or unsignedLong of the schemas.
func unsigned(s string, bits int) bool {
	_, err := strconv.ParseUint(s, 10, bits)
	return err == nil && xmldoc.Digits(s)
}

// positive is positiveInteger, which has no upper limit.
func positive(s string) bool { return xmldoc.Digits(s) && strings.Trim(s, "0") != "" }

// uuid is UUID: 32 digits, or those with four hyphens in their places.
func uuid(s string) bool {
	if len(s) == 36 {
		for _, at := range []int{8, 13, 18, 23} {
			if s[at] != '-' {
				return false
			}
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	return len(s) == 32 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
