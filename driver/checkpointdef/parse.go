package checkpointdef

import (
	"math"
	"strconv"
	"strings"

	"fleece/driver/domaindef"
	"fleece/driver/xmldoc"
	"fleece/virt"
)

// ParseNew reads a document for a checkpoint to be made at now (seconds since the
// Epoch): creationTime, parent and domain of the document are ignored, a missing
// name is the time. Errors in order: 35, 27, 92, then 67 for a name that is too
// long.
func ParseNew(text string, now int64) (*Checkpoint, error) {
	c, _, err := parse(text)
	if err != nil {
		return nil, err
	}
	c.CreationTime, c.Parent = now, ""
	if c.Name == "" {
		c.Name = strconv.FormatInt(now, 10)
	}
	return c, nil
}

// ParseRedefine reads a document that is complete, as a client or a metadata file
// has it. Further errors: 27 without a name, 1 without creationTime, those of the
// embedded domain, and 67 for a bitmap that has another name than the checkpoint
// (contract row 22).
func ParseRedefine(text string) (*Checkpoint, error) {
	c, domain, err := parse(text)
	if err != nil {
		return nil, err
	}
	if c.Name == "" {
		return nil, virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN_CHECKPOINT, "a redefined checkpoint must have a name")
	}
	if c.CreationTime == 0 {
		return nil, virt.Errorf(virt.ERR_INTERNAL_ERROR, virt.FROM_DOMAIN_CHECKPOINT,
			"missing creationTime from existing checkpoint")
	}
	if domain != nil {
		if c.Domain, err = domaindef.FromTree(domain); err != nil {
			return nil, err
		}
	}
	return c, c.checkBitmapNames()
}

// parse reads what both kinds of document have; domain is the embedded element.
func parse(text string) (c *Checkpoint, domain *xmldoc.Node, err error) {
	c, r, root, err := grammar(text)
	if err != nil {
		return nil, nil, err
	}
	if err := r.Code(); err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(c.Name, ReservedPrefix) {
		return nil, nil, virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_DOMAIN_CHECKPOINT,
			"checkpoint name '%s' begins with '%s', which is reserved", c.Name, ReservedPrefix)
	}
	if len(c.Name) > NameBytesMax {
		return nil, nil, virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_DOMAIN_CHECKPOINT,
			"checkpoint name of %d bytes is longer than the limit of %d bytes", len(c.Name), NameBytesMax)
	}
	return c, root.First("domain"), nil
}

// grammar is the part of parse that libvirt leaves to libxml2. The errors are 35, 27
// and 92.
func grammar(text string) (*Checkpoint, *xmldoc.Rules, *xmldoc.Node, error) {
	root, err := xmldoc.Parse("domain_checkpoint", text)
	if err != nil {
		return nil, nil, nil, err
	}
	if root.Name != "domaincheckpoint" {
		return nil, nil, nil, xmldoc.WrongRoot("domaincheckpoint", root.Name)
	}
	r := &xmldoc.Rules{Schema: "domaincheckpoint.rng"}
	return read(r, root), r, root, r.Err()
}

func read(r *xmldoc.Rules, root *xmldoc.Node) *Checkpoint {
	c := &Checkpoint{}
	r.Attrs(root)
	r.Children(root, "name", "description", "creationTime", "disks", "domain", "parent")
	if n := root.First("name"); n != nil {
		c.Name = name(r, n)
	}
	if n := root.First("description"); n != nil {
		r.TextOnly(n)
		c.Description = n.Text
	}
	if n := root.First("creationTime"); n != nil {
		r.TextOnly(n)
		c.CreationTime = number(r, n, n.Text)
	}
	if n := root.First("parent"); n != nil {
		r.Attrs(n)
		r.Children(n, "name")
		if child := n.First("name"); child != nil {
			c.Parent = name(r, child)
		} else {
			r.Fail(n, "Expecting an element name, got nothing")
		}
	}
	if n := root.First("disks"); n != nil {
		r.Attrs(n)
		r.List(n, "disk")
		c.Disks = []Disk{}
		for d := n.Child; d != nil && r.Err() == nil; d = d.Next {
			c.Disks = append(c.Disks, disk(r, d))
		}
	}
	return c
}

// name is checkpointName of the schema: no '/', no leading dot.
func name(r *xmldoc.Rules, n *xmldoc.Node) string {
	r.TextOnly(n)
	for i := range len(n.Text) {
		if c := n.Text[i]; !xmldoc.Alphanumeric(c) && c != '_' && c != '-' && (c != '.' || i == 0) {
			r.Fail(n, "Error validating value of element %s", n.Name)
			return ""
		}
	}
	if n.Text == "" {
		r.Fail(n, "Error validating value of element %s", n.Name)
	}
	return n.Text
}

// number is unsignedLong of the schema. What does not fit is 0, as libvirt has it,
// whose code then says that there was none (E215).
func number(r *xmldoc.Rules, n *xmldoc.Node, text string) int64 {
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil || !xmldoc.Digits(text) {
		r.Fail(n, "Error validating datatype unsignedLong of element %s", n.Name)
	}
	if v > math.MaxInt64 {
		return 0
	}
	return int64(v)
}

func disk(r *xmldoc.Rules, n *xmldoc.Node) Disk {
	r.Attrs(n, "name", "checkpoint", "bitmap", "size")
	r.Children(n)
	d := Disk{
		Name: r.Match(n, "name", func(s string) bool { return xmldoc.DiskTarget(s) || xmldoc.AbsFilePath(s) }),
		Size: -1, Bitmap: r.Value(n, "checkpoint", "bitmap", "no") != "no",
	}
	for _, attr := range []string{"bitmap", "size"} {
		if _, ok := n.Attr(attr); ok && !d.Bitmap {
			r.Fail(n, "Invalid attribute %s for element disk", attr)
		}
	}
	d.BitmapName = n.AttrOr("bitmap", "")
	if size, ok := n.Attr("size"); ok {
		number(r, n, size) // checked, and ignored: sizes are output only
	}
	return d
}
