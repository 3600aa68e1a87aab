package specs

import (
	"fleece/conformance"
)

const standsStill = "the relation is between backups of one and the same content, so nothing may write"

func metamorphicSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "relation.push-is-pull",
			Title:        "a push and a pull of the same content give the same bytes",
			Requirements: []string{"BEG-01", "PUL-01", "PSH-01", "I1", "I2"},
			Alone:        standsStill,
			Body:         pushIsPull,
		},
		{
			ID:           "relation.full-is-increments-flattened",
			Title:        "a full backup is what the earlier full one and its increments give together",
			Requirements: []string{"BEG-05", "I1", "I7"},
			Alone:        standsStill,
			Body:         fullIsIncrements,
		},
		{
			ID:           "relation.disks-together-are-the-disks-one-by-one",
			Title:        "one backup of several disks holds what backups of each disk alone hold",
			Requirements: []string{"BEG-01", "BEG-18", "I1", "I3"},
			Alone:        standsStill,
			Body:         togetherIsOneByOne,
		},
	}
}

func pushIsPull(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 6)
	d.Scribble("vdb", 4)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
	pulled := [][]byte{p.Content("vda"), p.Content("vdb")}
	p.EndsWith(0, 1)
	b := d.Begin(conformance.BackupSpec{})
	b.AwaitSuccess()
	b.EndsWith(1)
	for i, target := range []string{"vda", "vdb"} {
		t.ExpectSame("push and pull of "+target, b.Content(target), pulled[i])
	}
}

func fullIsIncrements(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 4)
	var below *conformance.Backup
	for _, name := range []string{"c0", "c1", "c2"} {
		b := d.Begin(conformance.BackupSpec{Over: below, Checkpoint: name, Disks: images(t, name, "vda", "vdb")})
		b.AwaitSuccess()
		b.EndsWith(1)
		below = b
		if name != "c2" {
			d.Scribble("vda", 3)
			d.Scribble("vdb", 2)
		}
	}
	full := d.Begin(conformance.BackupSpec{Disks: images(t, "full", "vda", "vdb")})
	full.AwaitSuccess()
	full.EndsWith(1)
	for _, target := range []string{"vda", "vdb"} {
		t.ExpectSame("full backup and flattened increments of "+target, full.Content(target), below.Content(target))
	}
}

func togetherIsOneByOne(t *conformance.T) {
	d := t.StartDomain(conformance.DomainSpec{Disks: []conformance.DiskSpec{
		conformance.SmallDisk("vda"), {Target: "vdb", Size: 1<<20 + 1536, ClusterSize: 2048}, {Target: "vdc", Size: 1 << 20, ClusterSize: 2 << 20},
	}})
	targets := []string{"vda", "vdb", "vdc"}
	for _, target := range targets {
		d.Scribble(target, 4)
	}
	together := d.Begin(conformance.BackupSpec{Disks: images(t, "together", targets...)})
	together.AwaitSuccess()
	together.EndsWith(1)
	for _, target := range targets {
		alone := d.Begin(conformance.BackupSpec{Disks: images(t, "alone", target)})
		alone.AwaitSuccess()
		alone.EndsWith(1)
		t.ExpectSame("together and alone: "+target, together.Content(target), alone.Content(target))
	}
}
