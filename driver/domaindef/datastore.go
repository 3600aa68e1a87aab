package domaindef

import (
	"fleece/driver/xmldoc"
	"fleece/qmp"
)

// dataStore reads the data file of an image from its <source>: nil if there is none.
func (d *Disk) dataStore(source *xmldoc.Node, format string) (*DataStore, error) {
	if source == nil {
		return nil, nil
	}
	n := source.First("dataStore")
	if n == nil {
		return nil, nil
	}
	s := &DataStore{Type: n.AttrOr("type", "file"), Index: sourceIndex(n.First("source"))}
	if s.Type != "file" && s.Type != "block" {
		return nil, unsupported("the data store of disk '%s' has a source of type '%s', which is not supported", d.Target, s.Type)
	}
	if s.Path = sourcePath(n.First("source"), s.Type); s.Path == "" {
		return nil, badXML("missing source of the data store of disk '%s'", d.Target)
	}
	if format != "qcow2" {
		return nil, unsupported("disk '%s' has an image of format '%s' with a data store, which only qcow2 has", d.Target, format)
	}
	if f := n.First("format"); f != nil && f.AttrOr("type", "raw") != "raw" {
		return nil, unsupported("the data store of disk '%s' has format '%s': it can only be raw", d.Target, f.AttrOr("type", ""))
	}
	return s, nil
}

// Options are the arguments of the data file's node, in libvirt's order: it passes no
// discards on. That of a disk has the access mode of the disk, for good. One of an image
// below is opened for writing when the image is written to: libvirt leaves it read-only,
// and then QEMU commits nothing into it ("Block node is read-only").
func (s *DataStore) Options(name string, readOnly, below bool) qmp.Value {
	driver := "file"
	if s.Type == "block" {
		driver = "host_device"
	}
	access := qmp.M("read-only", qmp.Bool(readOnly))
	if below {
		access = qmp.M("auto-read-only", qmp.Bool(true))
	}
	return qmp.Dict(qmp.M("driver", qmp.Str(driver)), qmp.M("filename", qmp.Str(s.Path)), qmp.M("node-name", qmp.Str(name)), access)
}

// numbered reports whether the document has the number of the data file's node.
func (s *DataStore) numbered() bool { return s != nil && s.Index > 0 }

// numberData writes the number of the data file of an image into the image's <source>.
func (p *DiskPlan) numberData(source *xmldoc.Node, image Node) {
	for _, d := range p.Data {
		if d.Image == image {
			source.First("dataStore").First("source").SetAttr("index", itoa(int(d.Node)))
		}
	}
}
