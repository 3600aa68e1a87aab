package specs

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

// dataFileSpecs are about disks whose qcow2 images keep their content in other files.
func dataFileSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID: "datafile.raw-is-the-disk",
			Title: "a disk with a data file that is raw, one with a data file and one without are backed up and their checkpoints outlast the domain and the driver; " +
				"the raw data file alone is the disk",
			Requirements: []string{"BEG-04", "BEG-05", "PSH-01", "I1", "I6", "I7", "I9"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         rawDataFileIsTheDisk,
		},
		{
			ID:           "datafile.on-a-block-device",
			Title:        "a disk whose data file is a block device is pushed and pulled, in full and since a checkpoint, whatever somebody else left on the device",
			Requirements: []string{"BEG-04", "BEG-05", "PSH-01", "PUL-04", "I1", "I2", "I6", "I7"},
			Needs:        []conformance.Feature{conformance.FeatureBlockDevice},
			Body:         dataFileOnABlockDevice,
		},
		{
			ID: "datafile.below-an-overlay",
			Title: "disks with data files, one raw, are snapshotted, and below the overlays they are what they were: increments reach through, " +
				"also when the domain was started on the chain and its driver is another one",
			Requirements: []string{"BEG-05", "CHK-06", "I6", "I7", "I11"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         dataFileBelowAnOverlay,
		},
		{
			ID:           "datafile.has-an-index",
			Title:        "the data file of a disk has the index behind that of its image: a threshold on it gives one event for it and none for the image",
			Requirements: []string{"E263"},
			Body:         dataFileHasAnIndex,
		},
		{
			ID:           "datafile.must-be-there",
			Title:        "a domain whose disk has lost its data file does not start, in QEMU's words, and starts when the file is back; a data store of anything but qcow2 is refused",
			Requirements: []string{"I12"},
			Body:         dataFileMustBeThere,
		},
	}
}

// overDataFiles are specs that hold for disks with data files as for others: the bodies
// are the same.
func overDataFiles(all []conformance.Spec) []conformance.Spec {
	var again []conformance.Spec
	for _, s := range all {
		id := ""
		switch s.ID {
		case "pull.every-shape":
			id = "datafile.pull-every-shape"
		case "pull.scratch-must-be-there":
			id = "datafile.scratch-must-be-there"
		case "pull.the-domain-dies":
			id = "datafile.the-domain-dies"
		case "push.every-shape":
			id = "datafile.push-every-shape"
		case "push.unreadable-source":
			id = "datafile.unreadable"
		case "push.the-domain-dies":
			id = "datafile.push-the-domain-dies"
		case "plug.one-by-one":
			id = "datafile.plugged-one-by-one"
		case "plug.pulled-beside-one-that-was-there":
			id = "datafile.plugged-beside-one-that-was-there"
		case "plug.driver-killed-anywhere":
			id = "datafile.driver-killed-while-plugging"
		case "push.target-must-be-there":
			id = "datafile.target-must-be-there"
		case "incremental.of-a-disk-made-read-only":
			id = "datafile.made-read-only"
		case "field.checkpoints-are-redefined":
			id = "datafile.checkpoints-are-redefined"
		case "field.threshold-of-a-scratch-image":
			id = "datafile.threshold-of-a-scratch-image"
		case "snapshot.increments-over-the-chain":
			id = "datafile.increments-over-the-chain"
		case "checkpoint.delete-below-an-overlay":
			id = "datafile.delete-below-an-overlay"
		case "chain.pull", "chain.commit", "chain.copy":
			id = "datafile." + strings.Replace(s.ID, ".", "-", 1)
		default:
			continue
		}
		body := s.Body
		s.ID, s.Title = id, "where disks keep their content in data files: "+s.Title
		s.Body = func(t *conformance.T) {
			t.DataFiles()
			body(t)
		}
		again = append(again, s)
	}
	return again
}

func rawDataFileIsTheDisk(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 1<<20 + 512, DataFile: true, DataFileRaw: true},
		{Target: "vdb", Size: 1 << 20, ClusterSize: 4096, DataFile: true}, {Target: "vdc", Size: 64 << 10},
	}})
	all := []string{"vda", "vdb", "vdc"}
	scribble := func() {
		for _, target := range all {
			d.Scribble(target, 3)
		}
	}
	scribble()
	t.Go("guest", scribble)
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "full", all...)})
	full.AwaitSuccess()
	full.EndsWith(1)
	full.ExpectImages()
	t.Join()
	d.Write("vda", 1<<20, 512) // in the last cluster, which is not whole
	d.Write("vdb", 1<<20-512, 512)
	d.PowerOff()
	d.ExpectBitmaps()
	t.KillDriver()
	t.RestartDriver()
	d.Start()
	t.Go("guest again", scribble)
	since := d.Begin(conformance.BackupSpec{Over: full, Checkpoint: "c1", Disks: images(t, "since", all...)})
	since.AwaitSuccess()
	since.EndsWith(1)
	since.ExpectImages()
	t.Join()
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Since: "c1", Disks: []conformance.PullDisk{{Target: "vda"}, {Target: "vdb"}}})
	t.Go("guest once more", scribble)
	p.ExpectExports()
	p.EndsWith(0, 1)
	t.Join()
	deleteCheckpoints(t, d, []string{"c0", "c1"})
	d.PowerOff()
}

func dataFileOnABlockDevice(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 64 << 10}, {Target: "vdb", Size: 1 << 20, ClusterSize: 4096, DataFile: true, DataDevice: true},
	}})
	d.Scribble("vdb", 3)
	t.Go("guest", func() { d.Scribble("vdb", 4) })
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "full", "vdb")})
	full.AwaitSuccess()
	full.EndsWith(1)
	full.ExpectImages()
	d.Write("vdb", 300<<10, 512)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Since: "c0", Checkpoint: "c1", Disks: []conformance.PullDisk{{Target: "vdb"}}})
	p.ExpectExports()
	p.EndsWith(0, 1)
	t.Join()
	d.PowerOff()
	d.ExpectBitmaps()
	d.Start()
	t.Go("guest again", func() { d.Scribble("vdb", 4) })
	since := d.Begin(conformance.BackupSpec{Over: full, Disks: images(t, "since", "vdb")})
	since.AwaitSuccess()
	since.EndsWith(1)
	since.ExpectImages()
	t.Join()
	d.PowerOff()
}

func dataFileBelowAnOverlay(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 1 << 20, DataFile: true, DataFileRaw: true}, {Target: "vdb", Size: 1 << 20, ClusterSize: 4096, DataFile: true},
	}})
	scribble := func() {
		d.Scribble("vda", 3)
		d.Scribble("vdb", 3)
	}
	scribble()
	full := d.Begin(conformance.BackupSpec{Checkpoint: "c0", Disks: images(t, "full", "vda", "vdb")})
	full.AwaitSuccess()
	full.EndsWith(1)
	scribble()
	t.Go("guest", scribble)
	d.Snapshot(conformance.SnapshotSpec{Name: "s0", Checkpoint: "c1"})
	t.Join()
	scribble()
	d.PowerOff()
	t.KillDriver()
	t.RestartDriver()
	d.Start()
	t.Go("guest again", scribble)
	since := d.Begin(conformance.BackupSpec{Since: "c0", Over: full, Disks: images(t, "since", "vda", "vdb")})
	since.AwaitSuccess()
	since.EndsWith(1)
	since.ExpectImages()
	t.Join()
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere(), Since: "c0", Disks: []conformance.PullDisk{{Target: "vda"}, {Target: "vdb"}}})
	p.ExpectExports()
	p.EndsWith(0, 1)
	d.PowerOff()
	d.ExpectBitmaps()
}

func dataFileHasAnIndex(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		{Target: "vda", Size: 64 << 10}, {Target: "vdb", Size: 1 << 20, DataFile: true},
	}})
	t.Go("other disk", func() { d.Scribble("vda", 4) })
	t.Expect(d.SetBlockThreshold(virt.XML("vdb[2]"), 512<<10, 0)).To(Succeed(), "vdb's image is number 1, vda's 3")
	d.Write("vdb", 0, 256<<10)
	t.Expect(thresholds(t)).To(BeEmpty())
	d.Write("vdb", 500<<10, 64<<10)
	t.Await("the event", func() bool { return len(thresholds(t)) > 0 })
	d.Write("vdb", 900<<10, 64<<10)
	t.Join()
	t.Expect(thresholds(t)).To(Equal([]string{fmt.Sprintf("vdb[2] %s %d", d.DataFilePath("vdb"), 512<<10)}))
	t.ExpectError(d.SetBlockThreshold(virt.XML("vda[4]"), 100, 0), virt.ERR_INVALID_ARG, "failed to find disk 'vda[4]'")
}

func dataFileMustBeThere(t *conformance.T) {
	d := t.DefineDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{conformance.SmallDisk("vda"), {Target: "vdb", Size: 64 << 10, DataFile: true}}})
	data := d.DataFilePath("vdb")
	away := t.Path("away")
	t.Rename(data, away)
	t.Go("asker", func() {
		for range 3 {
			_, err := d.GetXMLDesc(0)
			t.Expect(err).NotTo(HaveOccurred())
		}
	})
	t.ExpectError(d.Create(), virt.ERR_INTERNAL_ERROR, "Could not open '"+data+"': No such file or directory")
	t.Join()
	t.Rename(away, data)
	xml, err := d.GetXMLDesc(0)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(xml).To(ContainSubstring("<dataStore type='file'>"))
	for _, c := range []struct{ from, to, text string }{
		{"name='qemu' type='qcow2'/>\n      <source file='" + d.DiskPath("vdb"), "name='qemu' type='raw'/>\n      <source file='" + d.DiskPath("vdb"), "which only qcow2 has"},
		{"<format type='raw'/>", "<format type='qcow2'/>", "it can only be raw"},
	} {
		t.Expect(xml).To(ContainSubstring(c.from))
		_, err := t.Conn().DomainDefineXML(strings.Replace(xml, c.from, c.to, 1))
		t.ExpectError(err, virt.ERR_CONFIG_UNSUPPORTED, c.text)
	}
	d.Start()
	d.Scribble("vdb", 3)
	b := d.Begin(conformance.BackupSpec{Disks: images(t, "full", "vdb")})
	b.AwaitSuccess()
	b.EndsWith(1)
	b.ExpectImages()
	d.PowerOff()
}
