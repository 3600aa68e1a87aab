package lanes_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/conformance/lanes"
)

func TestKeptImagesFindTheirDataFilesWhereTheyAreKept(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("no qemu-img to open them with")
	}
	spec := specOf(t, "datafile.delete-below-an-overlay")
	for _, name := range []string{conformance.LaneSim, conformance.LaneQEMU} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := t.TempDir()
			lane, err := lanes.ByName(name, lanes.Config{KeepImages: dir})
			if err != nil {
				t.Skip(err)
			}
			g.Expect(conformance.RunOne(spec, conformance.Options{Lane: lane, Seed: 1}).State).To(gomega.Equal(conformance.StatePass))
			for _, verb := range []string{"check", "map"} {
				c := exec.Command("qemu-img", verb, "vm-vda.qcow2")
				c.Dir = filepath.Join(dir, name, spec.ID)
				out, err := c.CombinedOutput()
				g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
			}
		})
	}
}
