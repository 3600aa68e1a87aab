package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPull_ReadersSayTheSameOfTheSimulatorAndOfQEMU(t *testing.T) {
	for _, tool := range []string{"nbdinfo", "nbdcopy", "qemu-img", "qemu-system-x86_64"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("needed in CI: ", err)
			}
			t.Skip(err)
		}
	}
	fleece := filepath.Join(t.TempDir(), "fleece")
	if text, err := exec.Command("go", "build", "-o", fleece, "fleece/cmd/fleece").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var out strings.Builder
	if err := run(&out, fleece, "qemu-system-x86_64"); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if strings.Count(out.String(), "the copy is the disk as it was when the backup began") != 2 {
		t.Errorf("two right copies were expected:\n%s", out.String())
	}
}
