package snapshotdef

import (
	"strconv"
	"strings"

	"fleece/driver/domaindef"
	"fleece/driver/xmldoc"
	"fleece/virt"
)

// Options say how a document is read.
type Options struct {
	// Validate checks the grammar before anything else is looked at (VALIDATE).
	Validate bool
	// Redefine reads a document that is complete, as a metadata file has it.
	Redefine bool
	// Offline says that no memory can take part: DISK_ONLY, or an inactive domain.
	Offline bool
	// Now is the time of a new snapshot, seconds since the Epoch.
	Now int64
}

// Parse reads a document. Errors in order: 35, 27 for another root, 92 (E191's like)
// where the grammar is checked, then 27 for what the code does not understand (E260,
// E261). Of a new snapshot creationTime, parent, state and domain of the document
// are ignored; a missing name is the time.
func Parse(text string, o Options) (*Snapshot, error) {
	root, err := xmldoc.Parse("domain_snapshot", text)
	if err != nil {
		return nil, err
	}
	if root.Name != "domainsnapshot" {
		return nil, xmldoc.WrongRoot("domainsnapshot", root.Name)
	}
	if o.Validate {
		if err := checkGrammar(root); err != nil {
			return nil, err
		}
	}
	s := &Snapshot{Name: root.First("name").AllText(), Description: root.First("description").AllText()}
	if o.Redefine {
		err = s.readComplete(root)
	} else {
		s.CreationTime = o.Now
		if s.Name == "" {
			s.Name = strconv.FormatInt(o.Now, 10)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := s.readMemory(root.First("memory"), o.Offline && !o.Redefine); err != nil {
		return nil, err
	}
	if err := s.readDisks(root.First("disks")); err != nil {
		return nil, err
	}
	return s, nil
}

func badXML(format string, args ...any) error {
	return virt.Errorf(virt.ERR_XML_ERROR, virt.FROM_DOMAIN_SNAPSHOT, format, args...)
}

// CheckName refuses names that are no names of metadata files: 35 (E259), and 67 for
// one that is too long.
func (s *Snapshot) CheckName() error {
	fail := func(format string) error {
		return virt.Errorf(virt.ERR_XML_DETAIL, virt.FROM_QEMU, format, s.Name)
	}
	switch {
	case strings.Contains(s.Name, "/"):
		return fail("invalid snapshot name '%s': name can't contain '/'")
	case strings.HasPrefix(s.Name, "."):
		return fail("invalid snapshot name '%s': name can't start with '.'")
	case strings.ContainsFunc(s.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fail("invalid snapshot name '%s': name can't contain control characters")
	case len(s.Name) > NameBytesMax:
		return virt.Errorf(virt.ERR_CONFIG_UNSUPPORTED, virt.FROM_DOMAIN_SNAPSHOT,
			"snapshot name of %d bytes is longer than the limit of %d bytes", len(s.Name), NameBytesMax)
	}
	return nil
}

// readComplete reads what only a complete document has.
func (s *Snapshot) readComplete(root *xmldoc.Node) error {
	if s.Name == "" {
		return badXML("a redefined snapshot must have a name")
	}
	created, err := strconv.ParseInt(root.First("creationTime").TrimmedText(), 10, 64)
	if err != nil {
		return badXML("missing creationTime from existing snapshot")
	}
	s.CreationTime = created
	s.Parent = root.First("parent").First("name").AllText()
	s.State = root.First("state").TrimmedText()
	switch {
	case s.State == "":
		return badXML("missing state from existing snapshot")
	case !knownState(s.State):
		return badXML("Invalid state '%s' in domain snapshot XML", s.State)
	}
	if n := root.First("domain"); n.First("name") != nil {
		if s.Domain, err = domaindef.FromTree(n); err != nil {
			return err
		}
	}
	s.inactive, s.cookie = root.First("inactiveDomain"), root.First("cookie")
	return nil
}

// knownState is virDomainSnapshotState.
func knownState(s string) bool {
	switch s {
	case Running, Paused, Shutoff, DiskSnapshot, "nostate", "blocked", "shutdown", "crashed", "pmsuspended":
		return true
	}
	return false
}

func (s *Snapshot) readMemory(n *xmldoc.Node, offline bool) error {
	if n == nil {
		return nil
	}
	kind, given := n.Attr("snapshot")
	s.MemoryFile = n.AttrOr("file", "")
	switch {
	case given && kind != No && kind != Internal && kind != External:
		return badXML("unknown memory snapshot setting '%s'", kind)
	case given && s.MemoryFile != "" && kind != External:
		return badXML("memory filename '%s' requires external snapshot", s.MemoryFile)
	case given && s.MemoryFile == "" && kind == External:
		return badXML("external memory snapshots require a filename")
	case !given && s.MemoryFile != "":
		kind = External
	}
	if offline && kind != "" && kind != No {
		return badXML("memory state cannot be saved with offline or disk-only snapshot")
	}
	if s.MemoryFile != "" && !xmldoc.AbsolutePath(s.MemoryFile) {
		return badXML("memory snapshot file path (%s) must be absolute", s.MemoryFile)
	}
	s.Memory = kind
	return nil
}

func (s *Snapshot) readDisks(n *xmldoc.Node) error {
	if n == nil {
		return nil
	}
	for c := n.Child; c != nil; c = c.Next {
		d, err := readDisk(c)
		if err != nil {
			return err
		}
		s.Disks = append(s.Disks, d)
	}
	return nil
}

// readDisk reads one disk (virDomainSnapshotDiskDefParseXML).
func readDisk(n *xmldoc.Node) (Disk, error) {
	d := Disk{Name: n.AttrOr("name", ""), Type: n.AttrOr("type", "file")}
	if d.Name == "" {
		return d, badXML("missing name from disk snapshot element")
	}
	d.Location = n.AttrOr("snapshot", "")
	switch d.Location {
	case "", No, Internal, External, Manual:
	default:
		return d, badXML("unknown disk snapshot setting '%s'", d.Location)
	}
	switch d.Type {
	case "file", "block", "network", "dir", "volume", "nvme", "vhostuser":
	default:
		return d, badXML("unknown disk snapshot type '%s'", d.Type)
	}
	if driver := n.First("driver"); driver != nil {
		d.Format = driver.AttrOr("type", "")
		if d.Format != "" && !knownFormat(d.Format) {
			return d, badXML("unknown disk snapshot driver '%s'", d.Format)
		}
	}
	if err := d.readSource(n.First("source")); err != nil {
		return d, err
	}
	if d.Location == "" && (d.Path != "" || d.Format != "") {
		d.Location = External
	}
	return d, nil
}

func (d *Disk) readSource(n *xmldoc.Node) error {
	if n == nil {
		return nil
	}
	switch d.Type {
	case "file":
		d.Path = n.AttrOr("file", "")
	case "block":
		d.Path = n.AttrOr("dev", "")
	default:
		d.Path = n.AttrOr("name", "")
		return nil
	}
	if d.Path != "" && !xmldoc.AbsolutePath(d.Path) {
		return badXML("disk snapshot image path '%s' must be absolute", d.Path)
	}
	for c := n.Child; c != nil; c = c.Next {
		d.extra = append(d.extra, c)
	}
	return nil
}

// knownFormat is virStorageFileFormat.
func knownFormat(s string) bool {
	switch s {
	case "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "luks",
		"cow", "qcow", "qcow2", "qed", "vmdk":
		return true
	}
	return false
}
