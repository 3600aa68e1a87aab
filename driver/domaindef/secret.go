package domaindef

import "fleece/driver/xmldoc"

// WithoutSecrets is the domain as it is shown where nobody asked for SECURE: without
// the passwords of graphics (VIR_DOMAIN_DEF_FORMAT_SECURE). It is d if there are none.
func (d *Domain) WithoutSecrets() *Domain {
	if !secrets(d.root, func(*xmldoc.Node) {}) {
		return d
	}
	public := *d
	public.root = d.root.Clone()
	secrets(public.root, func(n *xmldoc.Node) { dropAttr(n, "passwd") })
	return &public
}

// secrets hands every element with a password to use; it tells whether there is one.
func secrets(root *xmldoc.Node, use func(*xmldoc.Node)) (found bool) {
	devices := root.First("devices")
	if devices == nil {
		return false
	}
	for n := devices.Child; n != nil; n = n.Next {
		if _, has := n.Attr("passwd"); has && n.Name == "graphics" {
			use(n)
			found = true
		}
	}
	return found
}
