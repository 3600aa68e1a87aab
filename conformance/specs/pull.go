package specs

import (
	"strings"
	"syscall"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/qmp"
	"fleece/virt"
)

func pullSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "pull.shows-the-start",
			Title:        "a pull backup of several disks shows the instant of its start over NBD, to any reader, for as long as it lasts",
			Requirements: []string{"PUL-01", "PUL-03", "BEG-02", "BEG-03", "I2", "I3", "END-04"},
			Body:         pullShowsTheStart,
		},
		{
			ID:           "pull.incremental-shows-what-is-dirty",
			Title:        "an incremental pull exposes beside the content what was written since the checkpoint, and nothing that is written after the start",
			Requirements: []string{"PUL-04", "I6", "I2", "BEG-04", "BEG-05"},
			Body:         pullIncremental,
		},
		{
			ID:           "pull.no-completion-event",
			Title:        "a pull backup has no completion event, is listed until End, and ends with 1 whatever the flags",
			Requirements: []string{"PUL-02", "PUL-03", "END-04", "END-08", "JOB-01", "I12"},
			Body:         pullHasNoEvent,
		},
		{
			ID:           "pull.defaults-can-be-read-back",
			Title:        "port and names of exports that the caller leaves out are chosen and can be read back",
			Requirements: []string{"PUL-05", "DSC-01"},
			Body:         pullDefaults,
		},
		{
			ID:           "pull.end-cuts-readers",
			Title:        "End cuts a reader in the middle, and leaves nothing that one could read from",
			Requirements: []string{"PUL-03", "END-09", "I12", "I15"},
			Body:         pullEndCutsReaders,
		},
		{
			ID:           "pull.begin-validates-first",
			Title:        "names that collide, a socket in use and a file at the socket's path are refused before anything is started",
			Requirements: []string{"BEG-19", "I12", "E162"},
			Body:         pullValidates,
		},
		{
			ID:           "pull.driver-killed-while-serving",
			Title:        "exports outlive the driver; the next one knows the backup and ends it",
			Requirements: []string{"PUL-03", "I2", "I15"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         pullDriverKilled,
		},
		{
			ID:           "pull.scratch-runs-full",
			Title:        "a scratch image that runs full breaks the guest's writes and not the backup: what is read stays the start, and after End the guest writes again",
			Requirements: []string{"PUL-03", "END-04", "END-08", "I2", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureLimitedDir},
			Body:         pullScratchRunsFull,
		},
		{
			ID:           "pull.tls-needs-the-right-certificate",
			Title:        "with tls='yes' the exports are shown to a client with a certificate of the right authority, and to nobody else",
			Requirements: []string{"PUL-01", "I2", "I12", "E152"},
			Body:         pullTLS,
		},
		{
			ID:           "pull.server-cannot-start",
			Title:        "a pull whose server cannot start tells QEMU's reason and leaves nothing, not even the server that was in its way disturbed",
			Requirements: []string{"BEG-19", "I12", "E153", "E154", "E155", "E156"},
			Body:         pullServerCannotStart,
		},
	}
}

func pullDomain(t *conformance.T) *conformance.Domain {
	return t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 1<<20 + 512}, {Target: "vdb", Size: 512 << 10, ClusterSize: 4096},
	}})
}

func pullShowsTheStart(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 4)
	d.Scribble("vdb", 3)
	t.Go("guest", func() {
		for range 3 {
			d.Scribble("vda", 2)
			d.Scribble("vdb", 1)
		}
	})
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
	t.Go("late-guest", func() {
		d.Write("vda", 0, 192<<10) // surely after the start
		d.Write("vdb", 64<<10, 64<<10)
	})
	p.ExpectExports()
	t.Join()
	p.ExpectExports()
	p.EndsWith(0, 1)
}

func pullIncremental(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 3)
	t.Go("guest", func() {
		for range 3 {
			d.Scribble("vda", 1)
			d.Scribble("vdb", 1)
		}
	})
	d.Checkpoint("c1")
	d.Scribble("vda", 2)
	p := d.BeginPull(conformance.PullSpec{
		Server: t.ServerHere(), Since: "c1", Checkpoint: "c2",
		Disks: []conformance.PullDisk{{Target: "vda", Bitmap: "changes"}, {Target: "vdb", Export: "second"}},
	})
	p.ExpectExports()
	t.Join()
	d.Write("vda", 256<<10, 128<<10)
	d.Write("vdb", 0, 128<<10)
	p.ExpectExports()
	p.EndsWith(virt.DOMAIN_BACKUP_END_ABORT, 1)
	d.PowerOff()
	d.ExpectBitmaps()
}

func pullHasNoEvent(t *conformance.T) {
	d := pullDomain(t)
	t.Go("guest", func() { d.Scribble("vda", 3) })
	for i, flags := range []virt.DomainBackupEndFlags{0, virt.DOMAIN_BACKUP_END_ABORT} {
		p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
		ids, err := d.ListJobIds(0)
		t.Expect(err).NotTo(HaveOccurred())
		t.Expect(ids).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_UNBOUNDED, ID: p.ID}}), "jobs of backup %d", i)
		p.EndsWith(flags, 1)
		_, err = d.BackupEnd(p.ID, 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_BACKUP, "no domain backup job with id")
	}
	t.Join()
	t.Expect(t.JobsCompleted()).To(BeEmpty(), "a pull backup has no completion event")
}

func pullDefaults(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 2)
	d.Checkpoint("c1")
	t.Go("guest", func() { d.Scribble("vda", 2) })
	p := d.BeginPull(conformance.PullSpec{Since: "c1"})
	xml, err := d.BackupGetXMLDesc(p.ID, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(ContainSubstring("<server transport='tcp' name='localhost' port='"))
	t.Expect(xml).To(ContainSubstring("<incremental>c1</incremental>"))
	for _, target := range []string{"vda", "vdb"} {
		t.Expect(xml).To(ContainSubstring("exportname='%s' exportbitmap='backup-%s'", target, target))
	}
	p.ExpectExports()
	t.Join()
	p.EndsWith(0, 1)
}

func pullEndCutsReaders(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 4)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
	c := p.Open("vda")
	first := make([]byte, 64<<10)
	_, err := c.ReadAt(first, 0)
	t.Expect(err).NotTo(HaveOccurred())
	d.Write("vda", 0, 16<<10)
	t.Go("reader", func() {
		buf := make([]byte, len(first))
		for {
			// Until it is cut a reader sees the start, never what the guest writes.
			if _, err := c.ReadAt(buf, 0); err != nil {
				return
			}
			t.Expect(buf).To(Equal(first), "what the reader sees")
		}
	})
	t.Go("guest", func() {
		for range 4 {
			d.Write("vda", 0, 16<<10)
		}
	})
	again := make([]byte, len(first))
	_, err = p.Open("vda").ReadAt(again, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(again).To(Equal(first), "what a second reader sees")
	p.EndsWith(0, 1)
	_, err = p.Dial()
	t.Expect(err).To(HaveOccurred(), "a server is left")
	t.Join()
	// At once a new one, not disturbed by leftovers.
	p = d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
	p.ExpectExports()
	p.EndsWith(0, 1)
}

func pullValidates(t *conformance.T) {
	d := pullDomain(t)
	t.Go("guest", func() { d.Scribble("vda", 3) })
	refused := func(s conformance.PullSpec, code virt.ErrorNumber, text string) {
		s.Checkpoint = "c1"
		_, err := d.TryBeginPull(s)
		t.ExpectError(err, code, text)
		d.ForgetCheckpoint("c1")
		t.ExpectNothingLeft(d)
		t.ExpectNoServer(d)
		_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
	}
	twice := []conformance.PullDisk{{Target: "vda", Export: "x"}, {Target: "vdb", Export: "x"}}
	refused(conformance.PullSpec{Server: t.ServerHere(), Disks: twice}, virt.ERR_INVALID_ARG, "export name 'x' is used for disks 'vda' and 'vdb'")
	long := []conformance.PullDisk{{Target: "vda", Export: strings.Repeat("x", 4097)}}
	refused(conformance.PullSpec{Server: t.ServerHere(), Disks: long}, virt.ERR_INVALID_ARG, "at most 4096 are possible")
	t.WriteFile(t.Path("nbd"), []byte("precious"))
	t.Keeps(t.Path("nbd"))
	refused(conformance.PullSpec{Server: t.ServerHere()}, virt.ERR_INVALID_ARG, "exists and is not a socket")
	t.Expect(string(t.ReadFile(t.Path("nbd")))).To(Equal("precious"))
	t.RemoveFile(t.Path("nbd"))
	free := t.Occupy(t.Path("nbd"))
	refused(conformance.PullSpec{Server: t.ServerHere()}, virt.ERR_OPERATION_INVALID, "is in use")
	free()
	// A dead socket is in nobody's way.
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
	p.EndsWith(0, 1)
	t.Join()
}

func pullDriverKilled(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 4)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Checkpoint: "c1"})
	c := p.Open("vda")
	t.Go("guest", func() { d.Scribble("vda", 4) })
	t.Pause(40)
	t.KillDriver()
	p.ExpectExports()
	t.RestartDriver()
	t.Join()
	d.Write("vda", 128<<10, 128<<10)
	p.ExpectExports()
	_, err := c.ReadAt(make([]byte, 512), 0)
	t.Expect(err).NotTo(HaveOccurred(), "an export that was open when the driver died")
	p.EndsWith(0, 1)
	_, err = c.ReadAt(make([]byte, 512), 0)
	t.Expect(conformance.WasCut(err)).To(BeTrue(), "the connection is cut, not a request refused: %v", err)
}

// pullScratchRunsFull holds QEMU to its default, which breaks the guest's write and
// not the snapshot (contract row 27).
func pullScratchRunsFull(t *conformance.T) {
	dir := t.LimitedDir("small", 512<<10)
	d := pullDomain(t)
	d.Write("vda", 0, 1<<20)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Disks: []conformance.PullDisk{{Target: "vda", Scratch: dir + "/scratch"}}})
	t.Go("guest", func() {
		for off := int64(0); off < 1<<20; off += 64 << 10 {
			d.WriteDespite(syscall.ENOSPC, "vda", off, 64<<10)
		}
	})
	p.ExpectExports()
	t.Join()
	t.Expect(d.TryWrite("vda", 1<<20-64<<10, 64<<10)).NotTo(Succeed(), "the scratch image was large enough")
	p.ExpectExports()
	p.EndsWith(0, 1)
	d.Write("vda", 0, 1<<20)
}

func pullTLS(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 3)
	server := strings.Replace(t.ServerHere(), "/>", " tls='yes'/>", 1)
	_, err := d.TryBeginPull(conformance.PullSpec{Server: server})
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "unable to execute QEMU command 'object-add': Unable to access credentials "+t.Path("tls")+"/ca-cert.pem: No such file or directory")
	t.ExpectNothingLeft(d)
	t.GiveCertificates()
	p := d.BeginPull(conformance.PullSpec{Server: server})
	t.Go("guest", func() { d.Scribble("vda", 3) })
	inTheClear, err := p.Dial()
	t.Expect(err).NotTo(HaveOccurred())
	_, err = inTheClear.List()
	t.Expect(err).To(MatchError(ContainSubstring("not permitted before TLS")))
	t.Expect(inTheClear.Close()).To(Succeed())
	for _, stranger := range []string{"", "stranger"} {
		_, err = p.DialTLS(stranger)
		t.Expect(err).To(HaveOccurred(), "the certificate %q was let in", stranger)
	}
	c, err := p.DialTLS("client")
	t.Expect(err).NotTo(HaveOccurred())
	_, err = c.Go("vda")
	t.Expect(err).NotTo(HaveOccurred())
	first, again := make([]byte, 64<<10), make([]byte, 64<<10)
	_, err = c.ReadAt(first, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Join()
	d.Write("vda", 0, 64<<10)
	_, err = c.ReadAt(again, 0)
	t.Expect(err).NotTo(HaveOccurred())
	t.ExpectSame("the export before and after a guest write", first, again)
	p.EndsWith(0, 1)
	p = d.BeginPull(conformance.PullSpec{Server: server}) // the credentials went, too
	p.EndsWith(0, 1)
}

func pullServerCannotStart(t *conformance.T) {
	d := pullDomain(t)
	t.Go("guest", func() { d.Scribble("vda", 3) })
	port, free := t.OccupyPort()
	start := "unable to execute QEMU command 'nbd-server-start': "
	refused := func(server, text string) {
		_, err := d.TryBeginPull(conformance.PullSpec{Server: server, Checkpoint: "c1"})
		t.ExpectError(err, virt.ERR_INTERNAL_ERROR, text)
		d.ForgetCheckpoint("c1")
		t.ExpectNothingLeft(d)
		t.Expect(d.JobIDs()).To(BeEmpty())
		_, err = d.CheckpointLookupByName(virt.XML("c1"), 0)
		t.ExpectError(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "c1")
	}
	refused("<server name='127.0.0.1' port='"+port+"'/>", start+"Failed to find an available port: Address already in use")
	free()
	refused("<server name='nosuch.invalid' port='10809'/>", start+"address resolution failed for nosuch.invalid:10809")
	refused("<server transport='unix' socket='"+t.Path("none/nbd")+"'/>",
		start+"Failed to bind socket to "+t.Path("none/nbd")+": No such file or directory")
	t.Expect(d.OnMonitor("nbd-server-start", unixServer(t.Path("theirs"))...)).To(BeEmpty())
	refused(t.ServerHere(), start+"NBD server already running")
	t.Expect(d.OnMonitor("nbd-server-stop")).To(BeEmpty(), "the other server is still there")
	t.Join()
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
	p.EndsWith(0, 1)
}

// unixServer are the arguments of an nbd-server-start.
func unixServer(path string) []qmp.Member {
	return []qmp.Member{qmp.M("addr", qmp.UnixAddress{Path: path}.SocketAddress())}
}
