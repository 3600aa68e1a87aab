package backupdef

import "fleece/driver/xmldoc"

// Network is the type of a disk whose target is an export of an NBD server (BEG-17,
// contract row 15): <target protocol='nbd' name='EXPORT'><host …/></target>, shaped as
// libvirt writes network disks in domain XML.
const Network = "network"

// Remote is an export of an NBD server.
type Remote struct {
	Export string // "" is the server's default export
	Host   string // of tcp
	Port   string // of tcp
	Socket string // absolute path, of unix
}

// portNBD is the port of a server whose document does not say.
const portNBD = "10809"

// uri names the export in messages, and tells targets apart.
func (r *Remote) uri() string {
	if r.Socket != "" {
		return "nbd+unix:///" + r.Export + "?socket=" + r.Socket
	}
	return "nbd://" + r.Host + ":" + r.Port + "/" + r.Export
}

// remote reads the target of a network disk.
func (p *parser) remote(n *xmldoc.Node, d *Disk) {
	r := &p.rules
	r.Attrs(n, "protocol", "name")
	r.Match(n, "protocol", func(s string) bool { return s == "nbd" })
	r.Children(n, "host")
	d.Remote = &Remote{Export: n.AttrOr("name", "")}
	h := n.First("host")
	if h == nil {
		r.Fail(n, "Expecting an element host, got nothing")
		return
	}
	r.Children(h)
	if r.Value(h, "transport", "tcp", "unix") == "unix" {
		r.Attrs(h, "transport", "socket")
		d.Remote.Socket = r.Match(h, "socket", func(s string) bool { return xmldoc.AbsFilePath(s) && xmldoc.AbsolutePath(s) })
	} else {
		r.Attrs(h, "transport", "name", "port")
		d.Remote.Host = r.Match(h, "name", hostName)
		d.Remote.Port = portNBD
		if _, ok := h.Attr("port"); ok {
			d.Remote.Port = r.Match(h, "port", portNumber)
		}
	}
	d.Path = d.Remote.uri()
}

// portNumber is a TCP port from 1 to 65535.
func portNumber(s string) bool {
	if !xmldoc.Digits(s) || len(s) > 5 {
		return false
	}
	n := 0
	for _, c := range []byte(s) {
		n = n*10 + int(c-'0')
	}
	return n > 0 && n <= 65535
}

// format writes the target.
func (r *Remote) format(w *xmldoc.Writer) {
	w.Open("target", "protocol", "nbd", "name", r.Export)
	if r.Socket != "" {
		w.Empty("host", "transport", "unix", "socket", r.Socket)
	} else {
		w.Empty("host", "name", r.Host, "port", r.Port)
	}
	w.Close("target")
}
