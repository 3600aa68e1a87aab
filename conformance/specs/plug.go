package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// plugSpecs are about disks that come and go while the domain runs (§5.10).
func plugSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "plug.a-disk-that-came-later",
			Title:        "a disk that is plugged after the first backup is copied in full beside increments of the others, and in increments from then on; it has none from before it came (109)",
			Requirements: []string{"BEG-05", "BEG-18", "CHK-06", "I5"},
			Body:         aDiskThatCameLater,
		},
		{
			ID:           "plug.one-by-one",
			Title:        "disks that come one by one are in full in one job, and in increments in the next",
			Requirements: []string{"BEG-01", "BEG-03", "BEG-05"},
			Body:         disksComeOneByOne,
		},
		{
			ID:           "plug.pulled-beside-one-that-was-there",
			Title:        "a disk that was plugged and one that was there are pulled in one job, with scratch images of two kinds, three rounds",
			Requirements: []string{"PUL-01", "PUL-04", "BEG-18"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         pulledBesideOneThatWasThere,
		},
		{
			ID:           "plug.not-while-it-is-copied",
			Title:        "a disk in a running backup cannot be unplugged (84), another one can, and both are as they should be when the backup is over",
			Requirements: []string{"E243", "BEG-15"},
			Body:         notWhileItIsCopied,
		},
		{
			ID:           "plug.races-a-begin",
			Title:        "a disk that is unplugged while a backup of it begins is in the backup and stays, or it goes and the backup is refused; in neither case is anything left",
			Requirements: []string{"BEG-19", "BEG-15", "E243"},
			Body:         unplugRacesABegin,
		},
		{
			ID:           "plug.goes-when-the-guest-lets-it",
			Title:        "a guest that does not let a disk go keeps it, though the call has succeeded; an event tells when it does, and then nothing of the disk is left",
			Requirements: []string{"BEG-18", "DSC-01", "BEG-19"},
			Body:         goesWhenTheGuestLetsIt,
		},
		{
			ID:           "plug.comes-back-with-its-bitmaps",
			Title:        "a disk that was unplugged and is plugged again has its bitmaps: increments start from checkpoints that were made before it went",
			Requirements: []string{"CHK-06", "BEG-05", "I8"},
			Body:         comesBackWithItsBitmaps,
		},
		{
			ID:           "plug.refusals",
			Title:        "what cannot be plugged or unplugged is refused with its code, and leaves nothing in QEMU, the domain or its definition",
			Requirements: []string{"BEG-19", "SUR-02"},
			Body:         plugRefusals,
		},
		{
			ID:           "plug.driver-killed-anywhere",
			Title:        "a driver killed at any point of plugging or unplugging comes back to a domain whose document says which disks QEMU has, and nothing is left of others",
			Requirements: []string{"BEG-19", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         driverKilledWhilePlugging,
		},
		{
			ID:           "plug.definitions",
			Title:        "LIVE changes the running domain only, CONFIG the next start only, both together both; what is plugged is there after a restart as far as it was defined",
			Requirements: []string{"DSC-01", "SUR-02"},
			Body:         plugDefinitions,
		},
	}
}

func aDiskThatCameLater(t *conformance.T) {
	d := oneDisk(t)
	d.Scribble("vda", 4)
	first := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	first.AwaitSuccess()
	first.EndsWith(1)
	d.Scribble("vda", 2)
	d.Plug(conformance.SmallDisk("vdb"))
	d.Scribble("vdb", 4)
	t.Go("guest", func() { d.Scribble("vdb", 3) })
	_, err := d.TryBegin(conformance.BackupSpec{Since: "c0", Over: first})
	t.ExpectError(err, virt.ERR_CHECKPOINT_INCONSISTENT, "vdb")
	both := []conformance.BackupDisk{
		{Target: "vda", Since: "c0", Mode: "incremental", Path: t.Path("vda-1")}, {Target: "vdb", Mode: "full", Path: t.Path("vdb-1")},
	}
	second := d.Begin(conformance.BackupSpec{Disks: both, Checkpoint: "c1"})
	second.AwaitSuccess()
	second.EndsWith(1)
	d.Scribble("vda", 2)
	d.Scribble("vdb", 2)
	third := d.Begin(conformance.BackupSpec{Since: "c1", Over: second, Checkpoint: "c2"})
	third.AwaitSuccess()
	third.EndsWith(1)
	d.Scribble("vdb", 2)
	differential := d.Begin(conformance.BackupSpec{Since: "c1", Over: second, Disks: []conformance.BackupDisk{
		{Target: "vda", Path: t.Path("diff-vda")}, {Target: "vdb", Path: t.Path("diff-vdb")},
	}})
	differential.AwaitSuccess()
	differential.EndsWith(1)
}

func disksComeOneByOne(t *conformance.T) {
	d := oneDisk(t)
	d.Scribble("vda", 3)
	for _, target := range []string{"vdb", "vdc", "vdd"} {
		d.Plug(conformance.SmallDisk(target))
		d.Scribble(target, 2)
	}
	t.Go("guest", func() { d.Scribble("vdc", 4) })
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	full.AwaitSuccess()
	full.EndsWith(1)
	d.Scribble("vdb", 2)
	d.Scribble("vdd", 2)
	next := d.Begin(conformance.BackupSpec{Over: full})
	next.AwaitSuccess()
	next.EndsWith(1)
}

func pulledBesideOneThatWasThere(t *conformance.T) {
	d := oneDisk(t)
	d.Scribble("vda", 3)
	d.Plug(conformance.SmallDisk("vdb"))
	d.Scribble("vdb", 3)
	device := t.BlockDevice("scratch", 8<<20)
	since := ""
	for _, name := range []string{"c0", "c1", "c2"} {
		p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Since: since, Checkpoint: name, Disks: []conformance.PullDisk{
			{Target: "vda"}, {Target: "vdb", Scratch: device, Block: true},
		}})
		t.Go("guest", func() { d.Scribble("vdb", 2) })
		d.Scribble("vda", 2)
		p.ExpectExports()
		p.EndsWith(0, 1)
		p.ExpectReleased()
		since = name
	}
}

func notWhileItIsCopied(t *conformance.T) {
	d := twoDisks(t, "vm")
	t.HoldPushes()
	b := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda"}, {Target: "vdb", Out: true}}})
	t.Go("guest", func() { d.Scribble("vda", 2) })
	t.ExpectError(d.DetachDeviceFlags(d.DiskXML("vda"), virt.DOMAIN_DEVICE_MODIFY_LIVE),
		virt.ERR_OPERATION_UNSUPPORTED, "disk 'vda' already in active block job")
	d.Unplug("vdb")
	d.Plug(conformance.SmallDisk("vdc"))
	t.ReleasePushes(d)
	b.AwaitSuccess()
	b.EndsWith(1)
	d.Unplug("vda")
}

func unplugRacesABegin(t *conformance.T) {
	t.Each(2, func(i int) { unplugRaces(t, caseName(i), i == 0) })
}

// unplugRaces has a backup begin before a disk is unplugged, or while the guest has not
// let it go.
func unplugRaces(t *conformance.T, name string, before bool) {
	d := twoDisks(t, name)
	both := conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda"}, {Target: "vdb"}}}
	var b *conformance.Backup
	var refusal, err error
	begin := func() { b, refusal = d.TryBegin(both) }
	if before {
		t.Go("backup", begin)
		t.Pause(40)
		err = d.TryUnplug("vdb")
	} else {
		err = d.TryUnplugAfter("vdb", func() {
			t.Go("backup", begin)
			t.Pause(12)
		})
	}
	t.Join()
	if refusal != nil {
		t.ExpectError(refusal, virt.ERR_CONFIG_UNSUPPORTED, "no disk named 'vdb'")
		t.Expect(err).NotTo(HaveOccurred(), "the backup is refused, and the disk is there")
		b = d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda"}}})
	}
	if err != nil {
		t.ExpectError(err, virt.ERR_OPERATION_UNSUPPORTED, "disk 'vdb' already in active block job")
	}
	b.AwaitSuccess()
	b.EndsWith(1)
}

func goesWhenTheGuestLetsIt(t *conformance.T) {
	d := twoDisks(t, "vm")
	t.Go("guest", func() { d.Scribble("vda", 4) })
	t.Expect(d.DetachDeviceFlags(d.DiskXML("vdb"), virt.DOMAIN_DEVICE_MODIFY_LIVE)).To(Succeed())
	t.Expect(d.GetXMLDesc(0)).To(ContainSubstring("'vdb'"))
	d.Scribble("vdb", 2)
	kept := d.Begin(conformance.BackupSpec{})
	kept.AwaitSuccess()
	kept.EndsWith(1)
	d.LetGo("vdb")
	d.AwaitDeviceRemoved("vdb")
	d.Unplugged("vdb")
	t.Expect(d.GetXMLDesc(0)).NotTo(ContainSubstring("'vdb'"))
	t.Expect(d.GetXMLDesc(virt.DOMAIN_XML_INACTIVE)).To(ContainSubstring("'vdb'"))
	t.ExpectNothingLeft(d)
	t.ExpectError(d.DetachDeviceFlags(virt.XML("<disk><source file='/x'/><target dev='vdb'/></disk>"), virt.DOMAIN_DEVICE_MODIFY_LIVE),
		virt.ERR_DEVICE_MISSING, "disk vdb not found")
	last := d.Begin(conformance.BackupSpec{Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path("last")}}})
	last.AwaitSuccess()
	last.EndsWith(1)
}

func comesBackWithItsBitmaps(t *conformance.T) {
	d := twoDisks(t, "vm")
	b := d.Begin(conformance.BackupSpec{Checkpoint: "c0"})
	b.AwaitSuccess()
	b.EndsWith(1)
	d.Scribble("vdb", 3)
	t.Go("other", func() { d.Scribble("vda", 3) })
	d.Unplug("vdb")
	alone := d.Begin(conformance.BackupSpec{Since: "c0", Disks: []conformance.BackupDisk{{Target: "vda", Path: t.Path("alone")}}})
	alone.AwaitSuccess()
	alone.EndsWith(1)
	d.PlugAgain("vdb")
	d.Scribble("vdb", 2)
	next := d.Begin(conformance.BackupSpec{Over: b})
	next.AwaitSuccess()
	next.EndsWith(1)
}

func plugRefusals(t *conformance.T) {
	const live, config = virt.DOMAIN_DEVICE_MODIFY_LIVE, virt.DOMAIN_DEVICE_MODIFY_CONFIG
	d := twoDisks(t, "vm")
	before, err := d.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Go("guest", func() { d.Scribble("vda", 4) })
	missing := "<disk type='file'><driver type='qcow2'/><source file='" + t.Path("nowhere") + "'/><target dev='vdz' bus='virtio'/></disk>"
	for _, c := range []struct {
		call  func(*string, virt.DomainDeviceModifyFlags) error
		xml   string
		flags virt.DomainDeviceModifyFlags
		code  virt.ErrorNumber
		text  string
	}{
		{d.AttachDeviceFlags, *d.DiskXML("vdb"), live, virt.ERR_XML_ERROR, "target 'vdb' duplicated for disk sources"},
		{d.AttachDeviceFlags, *d.DiskXML("vdb"), config, virt.ERR_OPERATION_INVALID, "target vdb already exists"},
		{d.AttachDeviceFlags, *d.DiskXML("vdb"), live | config, virt.ERR_OPERATION_INVALID, "target vdb already exists"},
		{d.AttachDeviceFlags, missing, live, virt.ERR_SYSTEM_ERROR, "Cannot access storage file '" + t.Path("nowhere") + "'"},
		{d.AttachDeviceFlags, "<disk", live, virt.ERR_XML_DETAIL, "(device_definition):1:"},
		{d.AttachDeviceFlags, "<video/>", live, virt.ERR_OPERATION_UNSUPPORTED, "device 'video'"},
		{d.AttachDeviceFlags, missing, 8, virt.ERR_INVALID_ARG, "unsupported flags (0x8) in function qemuDomainAttachDeviceLiveAndConfig"},
		{d.DetachDeviceFlags, missing, live, virt.ERR_DEVICE_MISSING, "disk vdz not found"},
		{d.DetachDeviceFlags, missing, config, virt.ERR_DEVICE_MISSING, "no target device vdz"},
		{d.DetachDeviceFlags, missing, 8, virt.ERR_INVALID_ARG, "unsupported flags (0x8) in function qemuDomainDetachDeviceLiveAndConfig"},
	} {
		t.ExpectError(c.call(virt.XML(c.xml), c.flags), c.code, c.text)
	}
	refusal := t.FailCommand("device_add", 1, "no slot is free")
	err = d.TryPlug(conformance.SmallDisk("vdc"), live|config)
	t.ExpectError(err, virt.ERR_INTERNAL_ERROR, "no slot is free")
	t.Expect(refusal.Lift()).To(BeTrue())
	t.ExpectNothingLeft(d)
	t.Expect(d.GetXMLDesc(0)).To(Equal(before))
	t.Expect(d.Undefine(0)).To(Succeed())
	t.ExpectError(d.AttachDeviceFlags(virt.XML(missing), config), virt.ERR_OPERATION_INVALID, "transient domains do not have any persistent config")
	off := t.DefineDomain(conformance.DomainSpec{Name: "off", Disks: []conformance.DiskSpec{conformance.SmallDisk("vda")}})
	t.ExpectError(off.AttachDeviceFlags(virt.XML(missing), live), virt.ERR_OPERATION_INVALID, "domain is not running")
}

func driverKilledWhilePlugging(t *conformance.T) {
	t.Each(2, func(i int) { killedWhilePlugging(t, caseName(i), i == 0) })
}

// killedWhilePlugging has the driver die while a disk comes or goes.
func killedWhilePlugging(t *conformance.T, name string, comes bool) {
	d := twoDisks(t, name)
	if comes {
		d.Unplug("vdb")
		diesWithin(t, 60, func() { d.PlugAgainUnseen("vdb") })
	} else {
		asked, _ := d.GuestAsked()
		t.Go("guest", func() {
			if asked() {
				d.LetGo("vdb")
			}
		})
		diesWithin(t, 60, func() { _ = d.DetachDeviceFlags(d.DiskXML("vdb"), virt.DOMAIN_DEVICE_MODIFY_LIVE) })
	}
	d.SettlePlugged("vdb")
	b := d.Begin(conformance.BackupSpec{})
	b.AwaitSuccess()
	b.EndsWith(1)
}

func plugDefinitions(t *conformance.T) {
	const live, config = virt.DOMAIN_DEVICE_MODIFY_LIVE, virt.DOMAIN_DEVICE_MODIFY_CONFIG
	d := oneDisk(t)
	t.Go("guest", func() { d.Scribble("vda", 4) })
	targets := []string{"vdb", "vdc", "vdd"}
	for i, flags := range []virt.DomainDeviceModifyFlags{live, config, live | config} {
		t.Expect(d.TryPlug(conformance.SmallDisk(targets[i]), flags)).To(Succeed())
	}
	here := func(flags virt.DomainXMLFlags) (there []bool) {
		xml, err := d.GetXMLDesc(flags)
		t.Expect(err).NotTo(HaveOccurred())
		for _, target := range targets {
			there = append(there, strings.Contains(xml, "dev='"+target+"'"))
		}
		return there
	}
	t.Expect(here(0)).To(Equal([]bool{true, false, true}))
	t.Expect(here(virt.DOMAIN_XML_INACTIVE)).To(Equal([]bool{false, true, true}))
	t.Join()
	d.DestroyNow()
	t.Expect(d.Create()).To(Succeed())
	t.Expect(here(0)).To(Equal([]bool{false, true, true}))
	d.DestroyNow()
}
