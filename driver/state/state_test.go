package state

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParse_GivesBackWhatWasStored(t *testing.T) {
	text := rapid.String()
	rapid.Check(t, func(r *rapid.T) {
		s := &Domain{
			RunID: rapid.IntRange(0, 9).Draw(r, "run"), NextNode: rapid.IntRange(0, 99).Draw(r, "node"),
			NextJob: rapid.IntRange(0, 9).Draw(r, "job"), Transient: rapid.Bool().Draw(r, "transient"), Frozen: rapid.Bool().Draw(r, "frozen"),
		}
		if rapid.Bool().Draw(r, "backup") {
			s.Backup = &Backup{
				ID: 3, Phase: Phase(rapid.IntRange(0, int(Done)).Draw(r, "phase")), XML: text.Draw(r, "xml"),
				Checkpoint: text.Draw(r, "checkpoint"), NoMetadata: rapid.Bool().Draw(r, "nometa"),
				StartedMS: rapid.Int64().Draw(r, "started"), Result: 4, Error: text.Draw(r, "error"),
			}
			for range rapid.IntRange(0, 3).Draw(r, "disks") {
				s.Backup.Disks = append(s.Backup.Disks, &Disk{
					Name: text.Draw(r, "name"), Job: text.Draw(r, "job"), Node: 4, Made: rapid.Bool().Draw(r, "made"),
					State: DiskState(rapid.IntRange(0, int(DiskCancelled)).Draw(r, "state")), Total: rapid.Int64().Draw(r, "total"),
				})
			}
		}
		if rapid.Bool().Draw(r, "snapshot") {
			s.Current = text.Draw(r, "current")
			s.Snapshot = &Snapshot{Name: text.Draw(r, "snapshot name"), Phase: SnapshotPhase(rapid.IntRange(0, 2).Draw(r, "snapshot phase")), Metadata: true}
			for range rapid.IntRange(0, 3).Draw(r, "overlays") {
				s.Snapshot.Disks = append(s.Snapshot.Disks, &Overlay{Name: text.Draw(r, "disk"), Below: "/b", Type: "file",
					Path: text.Draw(r, "overlay"), Node: 7, Made: rapid.Bool().Draw(r, "made overlay")})
			}
		}
		if rapid.Bool().Draw(r, "leaving") {
			s.Leaving = &Leaving{Path: text.Draw(r, "saved"), Resume: rapid.Bool().Draw(r, "resume"), Complete: rapid.Bool().Draw(r, "complete")}
		}
		for range rapid.IntRange(0, 2).Draw(r, "block jobs") {
			j := &BlockJob{
				ID: text.Draw(r, "block job"), Kind: BlockJobKind(rapid.IntRange(0, int(BlockCopy)).Draw(r, "kind")), Disk: "vda", Top: 3, Base: 1,
				Phase: BlockJobPhase(rapid.IntRange(0, int(BlockJobEnded)).Draw(r, "block job's phase")), Result: DiskFailed,
				Pivoting: rapid.Bool().Draw(r, "pivoting"), Cancelling: rapid.Bool().Draw(r, "cancelling"), Type: "file", Path: text.Draw(r, "copy"),
				Format: "raw", Node: 9, Made: rapid.Bool().Draw(r, "made copy"), Shallow: rapid.Bool().Draw(r, "shallow"),
			}
			for range rapid.IntRange(0, 2).Draw(r, "closing") {
				j.Closing = append(j.Closing, text.Draw(r, "node name"))
			}
			s.BlockJobs = append(s.BlockJobs, j)
		}
		stored := string(Append(nil, s))
		again, err := Parse(stored)
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			r.Fatal(diff)
		}
		cut := rapid.IntRange(0, len(stored)-1).Draw(r, "cut")
		if _, err := Parse(stored[:cut]); !errors.Is(err, errForm) {
			r.Fatalf("cut off at %d it is read: %v", cut, err)
		}
	})
}

// FuzzParse: no panic, and what is read is stored as it was.
func FuzzParse(f *testing.F) {
	f.Add(string(Append(nil, &Domain{RunID: 1, Backup: &Backup{ID: 1, XML: "<x/>", Disks: []*Disk{{Name: "vda"}}}})))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(string(Append(nil, s)))
		if err != nil || !cmp.Equal(s, again) {
			t.Fatalf("%v %s", err, cmp.Diff(s, again))
		}
	})
}
