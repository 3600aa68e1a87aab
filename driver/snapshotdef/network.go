package snapshotdef

import (
	"strings"

	"fleece/driver/xmldoc"
)

// part is a place in a sequence of child elements.
type part struct {
	name     string
	min, max int // occurrences; max 0 is any number
	check    func(*xmldoc.Node)
}

func one(name string, check func(*xmldoc.Node)) part   { return part{name, 1, 1, check} }
func maybe(name string, check func(*xmldoc.Node)) part { return part{name, 0, 1, check} }
func many(name string, check func(*xmldoc.Node)) part  { return part{name, 0, 0, check} }

// sequence wants the children of n to be those parts, in that order, and no text.
func (g *grammar) sequence(n *xmldoc.Node, parts ...part) {
	if n.TrimmedText() != "" {
		g.rules.Fail(n, "Did not expect text in element %s content", n.Name)
	}
	c := n.Child
	for _, p := range parts {
		count := 0
		for c != nil && c.Name == p.name && (p.max == 0 || count < p.max) {
			p.check(c)
			c = c.Next
			count++
		}
		if count < p.min {
			g.rules.Fail(n, "Expecting an element %s, got nothing", p.name)
		}
	}
	if c != nil {
		g.rules.Fail(c, "Did not expect element %s there", c.Name)
	}
}

// interleave wants the children of n to be those parts, in any order, and no text.
func (g *grammar) interleave(n *xmldoc.Node, parts ...part) {
	if n.TrimmedText() != "" {
		g.rules.Fail(n, "Did not expect text in element %s content", n.Name)
	}
	counts := make([]int, len(parts))
	for c := n.Child; c != nil; c = c.Next {
		at := -1
		for i := range parts {
			if parts[i].name == c.Name {
				at = i
			}
		}
		if at < 0 || parts[at].max > 0 && counts[at] == parts[at].max {
			g.rules.Fail(c, "Did not expect element %s there", c.Name)
			return
		}
		counts[at]++
		parts[at].check(c)
	}
	for i, p := range parts {
		if counts[i] < p.min {
			g.rules.Fail(n, "Expecting an element %s, got nothing", p.name)
		}
	}
}

// networkSource is diskSourceNetwork: a choice by the protocol.
func (g *grammar) networkSource(disk *xmldoc.Node) {
	r := &g.rules
	n := disk.First("source")
	if n == nil {
		r.Fail(disk, "Expecting an element source, got nothing")
		return
	}
	g.index(n)
	attrs := []string{"protocol", "index", "name"}
	parts := []part{maybe("slices", g.slices)}
	host, crypt, auth := one("host", g.host), maybe("encryption", g.encryption), maybe("auth", g.auth)
	nameless := false
	switch protocol := n.AttrOr("protocol", ""); protocol {
	case "nbd":
		attrs, nameless = append(attrs, "tls", "tlsHostname"), true
		r.Value(n, "tls", "yes", "no")
		parts = append(parts, host, crypt)
	case "gluster":
		parts = append(parts, part{"host", 1, 0, g.host}, crypt)
	case "rbd":
		nameless = true
		parts = append(parts, many("host", g.host), crypt, auth,
			maybe("snapshot", g.holder("name", genericName)), maybe("config", g.holder("file", xmldoc.AbsFilePath)))
	case "iscsi":
		parts = append(parts, host, crypt, auth, maybe("initiator", g.initiator))
	case "http", "https", "ftp", "ftps":
		parts = append(parts, host, crypt, auth)
		parts = append(parts, g.transfer(protocol)...)
		if strings.HasPrefix(protocol, "http") {
			attrs = append(attrs, "query")
		}
	case "sheepdog", "tftp":
		parts = append(append(parts, host, crypt), g.transfer(protocol)...)
	case "vxhs":
		attrs = append(attrs, "tls")
		r.Value(n, "tls", "yes", "no")
		parts = append(parts, host)
	case "nfs":
		parts = append(parts, host, one("identity", g.identity))
	default:
		r.Fail(n, "Element source failed to validate attribute protocol")
	}
	r.Attrs(n, attrs...)
	if !nameless {
		r.Match(n, "name", anything)
	}
	g.interleave(n, parts...)
}

// transfer are the properties of protocols that fetch files.
func (g *grammar) transfer(protocol string) []part {
	parts := []part{maybe("readahead", g.holder("size", positive)), maybe("timeout", g.holder("seconds", positive))}
	if protocol == "https" || protocol == "ftps" {
		parts = append(parts, maybe("ssl", g.holder("verify", oneOf("yes", "no"))))
	}
	if strings.HasPrefix(protocol, "http") {
		parts = append(parts, maybe("cookies", func(n *xmldoc.Node) {
			g.rules.Attrs(n)
			g.sequence(n, part{"cookie", 1, 0, g.cookie})
		}))
	}
	return parts
}

// holder checks an empty element with one attribute.
func (g *grammar) holder(attr string, test func(string) bool) func(*xmldoc.Node) {
	return func(n *xmldoc.Node) {
		g.rules.Children(n)
		g.rules.Attrs(n, attr)
		g.rules.Match(n, attr, test)
	}
}

func (g *grammar) host(n *xmldoc.Node) {
	r := &g.rules
	r.Children(n)
	if r.Value(n, "transport", "tcp", "rdma", "unix") == "unix" {
		r.Attrs(n, "transport", "socket")
		r.Match(n, "socket", xmldoc.AbsFilePath)
		return
	}
	r.Attrs(n, "transport", "name", "port")
	r.Match(n, "name", func(s string) bool {
		return s != "" && strings.Trim(s, cookieLetters+".-") == "" || strings.Contains(s, ":") && strings.Trim(s, "0123456789abcdefABCDEF:.") == ""
	})
	if _, ok := n.Attr("port"); ok {
		r.Match(n, "port", func(s string) bool { return unsigned(s, 32) })
	}
}

func (g *grammar) auth(n *xmldoc.Node) {
	g.rules.Attrs(n, "username")
	g.rules.Match(n, "username", genericName)
	g.sequence(n, one("secret", func(c *xmldoc.Node) { g.secret(c, objectName, "ceph", "iscsi") }))
}

func (g *grammar) initiator(n *xmldoc.Node) {
	g.rules.Attrs(n)
	g.sequence(n, one("iqn", g.holder("name", anything)))
}

func (g *grammar) identity(n *xmldoc.Node) {
	g.rules.Children(n)
	g.rules.Attrs(n, "user", "group")
	for _, attr := range []string{"user", "group"} {
		if _, ok := n.Attr(attr); ok {
			g.rules.Match(n, attr, genericName)
		}
	}
}

const cookieLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func (g *grammar) cookie(n *xmldoc.Node) {
	r := &g.rules
	if n.Child != nil {
		r.Fail(n.Child, "Did not expect element %s there", n.Child.Name)
	}
	r.Attrs(n, "name")
	r.Match(n, "name", func(s string) bool { return s != "" && strings.Trim(s, cookieLetters+"!#$%&'*+-.^_`|~") == "" })
	value := strings.TrimSuffix(strings.TrimPrefix(n.Text, `"`), `"`)
	if value == "" || strings.Trim(value, cookieLetters+"!#$%&'()*+-./:>=<?@^_`[]|~") != "" {
		r.Fail(n, "Error validating value of element cookie")
	}
}

// genericName is [a-zA-Z0-9_\+\-]+.
func genericName(s string) bool { return s != "" && strings.Trim(s, cookieLetters+"_+-") == "" }

// objectName is a name without newline or slash.
func objectName(s string) bool { return s != "" && !strings.ContainsAny(s, "/\r\n") }
