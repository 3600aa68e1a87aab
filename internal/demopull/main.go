// Command demopull drives the same pull backup on the simulator (fleece serve --dir)
// and on the real QEMU, over QMP, and lets programs that nobody here wrote read the
// exports while the guest writes: nbdinfo, nbdcopy and qemu-img. It prints what they
// say of both, side by side.
//
// It is a demonstration and a test, not part of the product.
//
// The property it keeps: exit status 0 says that every program said the same of
// both, and that every copy is the disk as it was when the backup began.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	fleece := flag.String("fleece", "bin/fleece", "the fleece binary")
	qemu := flag.String("qemu", "qemu-system-x86_64", "the QEMU binary")
	flag.Parse()
	if err := run(os.Stdout, *fleece, *qemu); err != nil {
		fmt.Fprintln(os.Stderr, "demopull:", err)
		os.Exit(1)
	}
}

// said is what one program said of one side.
type said struct{ command, text string }

func run(out io.Writer, fleece, qemu string) error {
	for _, tool := range []string{"nbdinfo", "nbdcopy", "qemu-img", qemu, fleece} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is needed: %w", tool, err)
		}
	}
	simulated, err := side(simulator(fleece))
	if err != nil {
		return fmt.Errorf("the simulator: %w", err)
	}
	real, err := side(realQEMU(qemu))
	if err != nil {
		return fmt.Errorf("QEMU: %w", err)
	}
	different := 0
	for i := range simulated {
		fmt.Fprintf(out, "$ %s\n", simulated[i].command)
		if simulated[i].text == real[i].text {
			fmt.Fprint(out, indent("both        ", real[i].text))
			continue
		}
		different++
		fmt.Fprint(out, indent("simulated   ", simulated[i].text), indent("QEMU        ", real[i].text))
	}
	fmt.Fprintf(out, "%d commands, %d differ\n", len(simulated), different)
	if different > 0 {
		return fmt.Errorf("%d answers differ", different)
	}
	return nil
}

func indent(head, text string) string {
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(head + line + "\n")
		head = strings.Repeat(" ", len(head))
	}
	return b.String()
}

// side runs the whole backup on one machine and gives what the readers said.
func side(start starter) ([]said, error) {
	dir, err := os.MkdirTemp("", "demopull")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if text, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", filepath.Join(dir, "disk"), "4M").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	m, err := start(dir)
	if err != nil {
		return nil, err
	}
	defer m.kill()
	if err := m.begin(); err != nil {
		return nil, err
	}
	answers, err := m.read(dir)
	if err != nil {
		return nil, err
	}
	return answers, m.finish()
}
