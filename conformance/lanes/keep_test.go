package lanes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/conformance/lanes"
	"fleece/qcow2"
	"fleece/real"
)

func TestMain(m *testing.M) {
	real.MaybeReaper()
	os.Exit(m.Run())
}

// backingOf is the name that a kept image has for its backing file.
func backingOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := qcow2.Open(f, info.Size(), qcow2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Header().BackingFile
}

func TestKeptImagesOpenWhereTheyAreKept(t *testing.T) {
	spec := specOf(t, "incremental.chain-is-the-disk")
	for _, name := range []string{conformance.LaneSim, conformance.LaneSimReal, conformance.LaneQEMU} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := t.TempDir()
			lane, err := lanes.ByName(name, lanes.Config{KeepImages: dir})
			if err != nil {
				t.Skip(err)
			}
			g.Expect(conformance.RunOne(spec, conformance.Options{Lane: lane, Schedules: 2, Seed: 1}).State).
				To(gomega.Equal(conformance.StatePass))
			kept := filepath.Join(dir, name, spec.ID)
			g.Expect(backingOf(t, filepath.Join(kept, "c3-vda"))).To(gomega.Equal("vm-vda.qcow2"))
			g.Expect(os.ReadDir(filepath.Join(dir, name))).To(gomega.HaveLen(1), "schedules that pass are not kept beside the plain one")
			if _, err := exec.LookPath("qemu-img"); err != nil {
				t.Skip("no qemu-img to open them with")
			}
			for _, image := range []string{"c1-vda", "c3-vdb"} {
				out, err := exec.Command("qemu-img", "check", filepath.Join(kept, image)).CombinedOutput()
				g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
				g.Expect(string(out)).To(gomega.ContainSubstring("No errors were found"))
			}
		})
	}
}

func TestImagesOfAFailureAreKept(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	for _, lane := range []string{conformance.LaneSim, conformance.LaneSimReal} {
		l, err := lanes.ByName(lane, lanes.Config{KeepFailed: dir})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		o := conformance.Options{Lane: l, Seed: 1}
		g.Expect(conformance.RunOne(body(func(*conformance.T) {}), o).State).To(gomega.Equal(conformance.StatePass))
		g.Expect(os.ReadDir(dir)).NotTo(gomega.ContainElement(gomega.HaveField("Name()", lane)), "of what passes nothing is kept")
		failing := body(func(t *conformance.T) {
			t.WriteFile(t.Path("left"), []byte(strings.Repeat("x", 70_000)))
			t.Expect(1).To(gomega.Equal(2))
		})
		g.Expect(conformance.RunOne(failing, o).State).To(gomega.Equal(conformance.StateFail))
		g.Expect(os.ReadFile(filepath.Join(dir, lane, "test.body", "left"))).To(gomega.Equal([]byte(strings.Repeat("x", 70_000))))
	}
}

func TestImagesThatCannotBeKeptAreAFaultOfTheHarness(t *testing.T) {
	g := gomega.NewWithT(t)
	file := filepath.Join(t.TempDir(), "file")
	g.Expect(os.WriteFile(file, nil, 0o600)).To(gomega.Succeed())
	lane, err := lanes.Sim(lanes.Config{KeepImages: file})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	r := conformance.RunOne(body(func(*conformance.T) {}), conformance.Options{Lane: lane, Seed: 1})
	g.Expect(r.State).NotTo(gomega.Equal(conformance.StatePass))
	g.Expect(r.Failure.Message).To(gomega.ContainSubstring("keep images"))
}
