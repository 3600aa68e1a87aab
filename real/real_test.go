package real_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fleece/machine"
	"fleece/qmp"
	"fleece/real"
	"fleece/rt"
	"fleece/rt/realrt"
)

func TestMain(m *testing.M) {
	real.MaybeReaper()
	if len(os.Args) > 1 && os.Args[1] == "be-killed" {
		beKilled(os.Args[2])
	}
	os.Exit(m.Run())
}

// start makes a hypervisor, or skips: in CI a missing QEMU is a failure.
func start(t *testing.T) (*real.Hypervisor, rt.Process) {
	t.Helper()
	h, err := real.NewHypervisor(real.Options{})
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(h.Dir()); err == nil {
			t.Errorf("%s is left behind", h.Dir())
		}
	})
	return h, realrt.NewWorld().NewProcess("test")
}

// oneDisk is a machine with one qcow2 disk of the given size.
func oneDisk(t testing.TB, dir, size string) machine.Spec {
	t.Helper()
	path := filepath.Join(dir, "disk.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", path, size).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v: %s", err, out)
	}
	return machine.Spec{
		Name: "vm", MemoryKiB: 32 << 10, Paused: true,
		Nodes: []qmp.Value{
			qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str(path)), qmp.M("node-name", qmp.Str("s"))),
			qmp.Dict(qmp.M("driver", qmp.Str("qcow2")), qmp.M("file", qmp.Str("s")), qmp.M("node-name", qmp.Str("f"))),
		},
		Devices: []machine.Device{{Driver: "virtio-blk-pci", ID: "virtio-disk0", Drive: "f"}},
	}
}

func negotiate(t *testing.T, p rt.Process, c qmp.Conn, err error) *qmp.Monitor {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	m := qmp.NewMonitor(p, c, qmp.MonitorOptions{})
	if _, err := m.Negotiate(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAMachineAnswersOnTwoMonitorsAndAgainAfterTheFirstClientWent(t *testing.T) {
	h, p := start(t)
	m, err := h.For(p).Launch(oneDisk(t, t.TempDir(), "16M"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.DialSecond("vm")
	harness := negotiate(t, p, second, err)
	for range 3 {
		c, err := m.Dial()
		driver := negotiate(t, p, c, err)
		if _, err := driver.Run(qmp.Command{Name: "query-status"}); err != nil {
			t.Fatal(err)
		}
		if err := driver.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := harness.Run(qmp.Command{Name: "quit"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.For(p).Attach("vm"); !errors.Is(err, machine.ErrNotRunning) {
		t.Fatal(err)
	}
}

func TestWhatAMachineWroteWhenItCrashedIsKept(t *testing.T) {
	h, p := start(t)
	vm, err := h.For(p).Launch(oneDisk(t, t.TempDir(), "1M"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := vm.Dial()
	m := negotiate(t, p, c, err)
	args := qmp.Dict(qmp.M("driver", qmp.Str("null-co")), qmp.M("node-name", qmp.Str("n")), qmp.M("size", qmp.Int(-1)))
	if _, err := m.Run(qmp.Command{Name: "blockdev-add", Args: args}); err == nil {
		t.Skip("this QEMU survives a negative size")
	}
	if got := h.Complaints(); !strings.Contains(got, "QEMU 1 of the run wrote: ") || !strings.Contains(got, "parse_option_size") {
		t.Errorf("it wrote %q", got)
	}
}

func TestAMachineThatCannotStartGivesQEMUsOwnText(t *testing.T) {
	h, p := start(t)
	spec := oneDisk(t, t.TempDir(), "16M")
	spec.Nodes[0] = spec.Nodes[0].With("filename", qmp.Str("/nowhere/disk"))
	_, err := h.For(p).Launch(spec)
	if err == nil || !strings.Contains(err.Error(), "No such file or directory") {
		t.Fatal(err)
	}
}

func TestTheGuestReadsWhatItWroteAtOddSectorsAndBeyond4GiB(t *testing.T) {
	h, p := start(t)
	if _, err := h.For(p).Launch(oneDisk(t, t.TempDir(), "5G")); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 5*512)
	for i := range data {
		data[i] = byte(i / 512 * 7)
	}
	for _, off := range []int64{512, 3 * 512, 4<<30 + 512, 5<<30 - int64(len(data))} {
		if err := h.GuestWrite("vm", "virtio-disk0", off, data); err != nil {
			t.Fatal(err)
		}
		back := make([]byte, len(data))
		if err := h.GuestRead("vm", "virtio-disk0", off, back); err != nil || !bytes.Equal(back, data) {
			t.Fatalf("at %d: %v", off, err)
		}
	}
	if err := h.GuestWrite("vm", "virtio-disk0", 5<<30, data); err == nil || !strings.Contains(err.Error(), "failed") {
		t.Fatalf("a write beyond the end must fail: %v", err)
	}
}

func TestALimitedDirectoryRunsOutOfSpace(t *testing.T) {
	h, p := start(t)
	small := filepath.Join(h.Dir(), "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.LimitDir(small, 1<<20); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	through := h.Root() + small
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "raw", through+"/t", "4M").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	spec := oneDisk(t, t.TempDir(), "16M")
	spec.Nodes[0] = qmp.Dict(qmp.M("driver", qmp.Str("file")), qmp.M("filename", qmp.Str(small+"/t")), qmp.M("node-name", qmp.Str("s")))
	spec.Nodes[1] = qmp.Dict(qmp.M("driver", qmp.Str("raw")), qmp.M("file", qmp.Str("s")), qmp.M("node-name", qmp.Str("f")))
	if _, err := h.For(p).Launch(spec); err != nil {
		t.Fatal(err)
	}
	err := h.GuestWrite("vm", "virtio-disk0", 0, bytes.Repeat([]byte{1}, 2<<20))
	if err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Fatalf("got %v", err)
	}
}

func TestALimitOfFileSizesIsAnErrorOfTheWrite(t *testing.T) {
	h, p := start(t)
	if _, err := h.For(p).Launch(oneDisk(t, t.TempDir(), "16M")); err != nil {
		t.Fatal(err)
	}
	if err := h.LimitFileSize("vm", 1<<20); err != nil {
		t.Fatal(err)
	}
	err := h.GuestWrite("vm", "virtio-disk0", 0, bytes.Repeat([]byte{1}, 4<<20))
	if err == nil || !strings.Contains(err.Error(), "File too large") {
		t.Fatalf("got %v", err)
	}
}

// beKilled is the program of the next test: it starts a machine, tells its pid
// and directory, and waits to be killed.
func beKilled(dir string) {
	h, err := real.NewHypervisor(real.Options{})
	if err != nil {
		fmt.Println("skip", err)
		os.Exit(0)
	}
	p := realrt.NewWorld().NewProcess("test")
	if _, err := h.For(p).Launch(oneDisk(&testing.B{}, dir, "16M")); err != nil {
		fmt.Println("fail", err)
		os.Exit(1)
	}
	fmt.Println(h.Pid("vm"), h.Dir())
	select {}
}

func TestNothingIsLeftWhenTheProgramIsKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "be-killed", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	if _, err := fmt.Fscan(out, &pid, &dir); err != nil {
		_ = cmd.Wait()
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no machine could be started: ", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	real.AwaitGone(t.Context(), pid, dir)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("QEMU %d is left behind", pid)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is left behind", dir)
	}
}

func TestAProgramThatForgotItsReaperFailsInsteadOfStartingItselfForEver(t *testing.T) {
	t.Setenv("FLEECE_REAPER_OF", t.TempDir())
	h, err := real.NewHypervisor(real.Options{})
	if err == nil {
		_ = h.Close()
		t.Fatal("a hypervisor within a reaper that went on")
	}
	if !strings.Contains(err.Error(), "real.MaybeReaper") {
		t.Skip(err) // no QEMU
	}
}
