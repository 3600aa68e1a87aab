package conformance

import (
	"errors"
	"fmt"
	"strings"

	"fleece/conformance/oracle"
	"fleece/host"
	"fleece/nbd"
	"fleece/qmp"
	"fleece/virt"
)

// PullSpec describes a pull backup as a spec asks for it.
type PullSpec struct {
	// Disks lists the disks of the document; nil means all of the domain that
	// are not read-only.
	Disks []PullDisk
	// Since is the name of the checkpoint to start from; "" is a full backup.
	Since string
	// Server is the <server> element; "" leaves it out. ServerHere gives one.
	Server string
	// Checkpoint is the name of a checkpoint made in the same call; "" for none.
	Checkpoint string
	Flags      virt.DomainBackupBeginFlags
}

// PullDisk is one disk of a pull backup.
type PullDisk struct {
	Target  string
	Scratch string // path of the scratch image; "" means a path under T.Path
	Block   bool   // Scratch is a block device, see T.BlockDevice
	Mode    string // backupmode; "" leaves it out
	Since   string // the disk's own incremental; "" leaves it out
	Export  string // exportname; "" leaves it out
	Bitmap  string // exportbitmap; "" leaves it out
}

// ServerHere is a <server> element for a unix socket of this run.
func (t *T) ServerHere() string {
	return fmt.Sprintf("<server transport='unix' socket='%s'/>", t.Path("nbd"))
}

// XML renders the <domainbackup> document.
func (s PullSpec) XML() *string {
	var b strings.Builder
	b.WriteString("<domainbackup mode='pull'>")
	if s.Since != "" {
		fmt.Fprintf(&b, "<incremental>%s</incremental>", s.Since)
	}
	b.WriteString(s.Server + "<disks>")
	for _, k := range s.Disks {
		kind, attr := "file", "file"
		if k.Block {
			kind, attr = "block", "dev"
		}
		fmt.Fprintf(&b, "<disk name='%s' backup='yes' type='%s'", k.Target, kind)
		for _, a := range [][2]string{{"backupmode", k.Mode}, {"incremental", k.Since}, {"exportname", k.Export}, {"exportbitmap", k.Bitmap}} {
			if a[1] != "" {
				fmt.Fprintf(&b, " %s='%s'", a[0], a[1])
			}
		}
		fmt.Fprintf(&b, "><scratch %s='%s'/></disk>", attr, k.Scratch)
	}
	b.WriteString("</disks></domainbackup>")
	return virt.XML(b.String())
}

// Pull is a pull backup that Begin returned an id for.
type Pull struct {
	ID      int
	Spec    PullSpec
	d       *Domain
	at      *oracle.Instant
	starts  []*oracle.Instant // of the checkpoints that the disks start from; nil for full ones
	network string
	address string
	tls     *string // the certificate of the reader; nil for no TLS
}

// BeginPull starts a pull backup that must start.
func (d *Domain) BeginPull(s PullSpec) *Pull {
	p, err := d.TryBeginPull(s)
	d.t.Expect(err).NotTo(haveOccurred(), "BackupBegin")
	return p
}

// TryBeginPull starts a pull backup; on an error the Pull is nil.
func (d *Domain) TryBeginPull(s PullSpec) (*Pull, error) {
	s = d.completePull(s)
	p := &Pull{Spec: s, d: d}
	for _, k := range s.Disks {
		p.starts = append(p.starts, d.instant(s.since(k)))
	}
	p.at = d.guest.begin()
	d.lastBegin = p.at
	if s.Checkpoint != "" {
		d.noteCheckpoint(s.Checkpoint, p.at)
	}
	id, err := d.BackupBegin(s.XML(), BackupSpec{Checkpoint: s.Checkpoint}.CheckpointXML(), s.Flags)
	if err != nil {
		d.t.Expect(id).To(equal(-1), "the id beside the error %v", err)
		return nil, err
	}
	d.guest.returned(p.at)
	p.ID = id
	p.readServer()
	d.t.Keeps(p.Scratches()...)
	if p.network == host.Unix {
		d.t.Keeps(p.address)
	}
	return p, nil
}

// completePull fills in what the spec left out.
func (d *Domain) completePull(s PullSpec) PullSpec {
	s.Disks = append([]PullDisk(nil), s.Disks...)
	if s.Disks == nil {
		for _, k := range d.disks {
			if !k.ReadOnly && !k.NoMedium {
				s.Disks = append(s.Disks, PullDisk{Target: k.Target})
			}
		}
	}
	for i := range s.Disks {
		if k := &s.Disks[i]; k.Scratch == "" {
			k.Scratch = d.t.Path(fmt.Sprintf("%s-%s.scratch", d.Name, k.Target))
		}
	}
	return s
}

// since is the checkpoint that a disk starts from; "" for a full one.
func (s PullSpec) since(k PullDisk) string {
	switch {
	case k.Mode == "full":
		return ""
	case k.Since != "":
		return k.Since
	}
	return s.Since
}

// readServer takes the address from the driver's description of the backup.
func (p *Pull) readServer() {
	t := p.d.t
	xml, err := p.d.BackupGetXMLDesc(p.ID, 0)
	t.Expect(err).NotTo(haveOccurred(), "describe the backup")
	_, server, ok := strings.Cut(xml, "<server ")
	t.Expect(ok).To(beTrue(), "the description has a server: %s", xml)
	attr := func(name string) string {
		_, rest, _ := strings.Cut(" "+server, " "+name+"='")
		value, _, _ := strings.Cut(rest, "'")
		return value
	}
	if attr("transport") == "unix" {
		p.network, p.address = host.Unix, attr("socket")
		return
	}
	t.Expect(attr("port")).NotTo(equal(""), "the description has a port: %s", xml)
	p.network, p.address = host.TCP, "127.0.0.1:"+attr("port")
}

// Scratches are the paths of the scratch images that the backup made.
func (p *Pull) Scratches() []string {
	var paths []string
	for _, k := range p.Spec.Disks {
		if !k.Block && p.Spec.Flags&virt.DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL == 0 {
			paths = append(paths, k.Scratch)
		}
	}
	return paths
}

// exportOf is the name of a disk's export.
func (k PullDisk) exportOf() string {
	if k.Export != "" {
		return k.Export
	}
	return k.Target
}

// bitmapOf is the name of a disk's exported bitmap.
func (k PullDisk) bitmapOf() string {
	if k.Bitmap != "" {
		return k.Bitmap
	}
	return "backup-" + k.Target
}

// ReadWith makes readers of the exports use TLS, with the certificate of that name:
// see DialTLS.
func (p *Pull) ReadWith(certificate string) { p.tls = &certificate }

// Dial connects to the server of the backup without opening anything.
func (p *Pull) Dial() (*nbd.Client, error) {
	if p.tls != nil {
		return p.DialTLS(*p.tls)
	}
	return p.dialInTheClear()
}

func (p *Pull) dialInTheClear() (*nbd.Client, error) {
	c, err := p.d.t.host.Dial(p.network, p.address)
	if err != nil {
		return nil, err
	}
	k, err := nbd.Connect(c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return k, nil
}

// Open opens the export of a disk with all its meta contexts. It must be there.
func (p *Pull) Open(target string) *nbd.Client {
	t := p.d.t
	k, err := p.Dial()
	t.Expect(err).NotTo(haveOccurred(), "connect to the backup's server")
	t.Expect(k.StructuredReplies()).To(succeed())
	export := p.disk(target).exportOf()
	all, err := k.ListMetaContexts(export)
	t.Expect(err).NotTo(haveOccurred(), "list the contexts of export %s", export)
	names := make([]string, 0, len(all))
	for _, c := range all {
		names = append(names, c.Name)
	}
	_, err = k.SetMetaContexts(export, names...)
	t.Expect(err).NotTo(haveOccurred(), "choose the contexts of export %s", export)
	_, err = k.Go(export)
	t.Expect(err).NotTo(haveOccurred(), "open export %s", export)
	return k
}

func (p *Pull) disk(target string) PullDisk {
	for _, k := range p.Spec.Disks {
		if k.Target == target {
			return k
		}
	}
	p.d.t.Broken("the backup has no disk %q", target)
	return PullDisk{}
}

// WasCut reports whether an error of a client of an export is the end of its
// connection, rather than the refusal of a request.
func WasCut(err error) bool {
	var refused *nbd.RequestError
	return err != nil && !errors.As(err, &refused)
}

// Occupy listens on a unix socket, as another program would, until free is called;
// the socket's file stays.
func (t *T) Occupy(path string) (free func()) {
	l, err := t.host.Listen(host.Unix, path)
	t.must(err, "listen on "+path)
	return func() { t.must(l.Close(), "close "+path) }
}

// OccupyPort listens on a TCP port, as another program would, until free is called.
func (t *T) OccupyPort() (port string, free func()) {
	l, err := t.host.Listen(host.TCP, "127.0.0.1:0")
	t.must(err, "listen on a port")
	_, port, _ = strings.Cut(l.Addr(), ":")
	return port, func() { t.must(l.Close(), "close port "+port) }
}

// ExpectExports reads every byte of every export, and its extents, and asks the
// oracle whether one instant within Begin explains them all; of disks that start
// from a checkpoint the exported bitmap must be what was written since (I6).
func (p *Pull) ExpectExports() {
	var e oracle.Evidence
	for i, k := range p.Spec.Disks {
		c := p.Open(k.Target)
		model := p.d.model(k.Target)
		whole := &exportImage{t: p.d.t, c: c}
		e.Images = append(e.Images, oracle.DiskImage{Disk: model, Image: whole})
		p.d.t.Expect(c.Size()).To(equal(p.d.disk(k.Target).Size), "the size of the export of %s", k.Target)
		whole.checkExtents()
		if p.starts[i] != nil {
			dirty := oracle.DiskBitmap{Disk: model, Granularity: p.granularity(k), Dirty: whole.dirty(k.bitmapOf()), Until: p.at}
			p.d.guest.judge("the exported bitmap of "+k.Target, p.starts[i], oracle.Evidence{Bitmaps: []oracle.DiskBitmap{dirty}})
		}
		defer func() { p.d.t.Expect(c.Disconnect()).To(succeed(), "leave the export") }()
	}
	p.d.guest.judge("the exports", p.at, e)
}

// granularity is that of the bitmap of the checkpoint that a disk starts from.
func (p *Pull) granularity(k PullDisk) int64 {
	return max(p.d.disk(k.Target).ClusterSize, bitmapGranularityMin)
}

// bitmapGranularityMin is QEMU's least default granularity of a bitmap (§3.2), in
// bytes.
const bitmapGranularityMin = 4096

// EndsWith calls BackupEnd with flags, expects the result, and that nothing is left.
func (p *Pull) EndsWith(flags virt.DomainBackupEndFlags, result int) {
	t := p.d.t
	ret, err := p.d.BackupEnd(p.ID, flags)
	t.Expect(err).NotTo(haveOccurred(), "BackupEnd")
	t.Expect(ret).To(equal(result), "the result of BackupEnd")
	p.ExpectReleased()
}

// ExpectReleased asserts that the server, the exports and the scratch images are gone.
func (p *Pull) ExpectReleased() {
	t := p.d.t
	p.Forget()
	t.ExpectNothingLeft(p.d)
	t.ExpectNoServer(p.d)
	t.checkFiles()
}

// Forget says that files of the backup must not be there at the end.
func (p *Pull) Forget() {
	gone := append(p.Scratches(), p.address)
	var keep []string
	for _, path := range p.d.t.keep {
		if !contains(gone, path) {
			keep = append(keep, path)
		}
	}
	p.d.t.keep = keep
}

// ExpectNoServer asserts that no NBD server runs in QEMU: one can be started.
func (t *T) ExpectNoServer(d *Domain) {
	t.second(d.Name, func(m *qmp.Monitor) {
		path := t.Path("probe")
		_, err := m.Run(qmp.NBDServerStart{Addr: qmp.UnixAddress{Path: path}}.Command())
		t.Expect(err).NotTo(haveOccurred(), "an NBD server is left in QEMU")
		t.query(m, qmp.NBDServerStop{}.Command())
	})
}
