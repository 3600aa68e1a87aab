package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/digitalocean/go-qemu/qmp"
)

// starter starts a machine with the disk "disk" in a directory and a monitor there.
type starter func(dir string) (*machine, error)

// machine is one side with its monitor.
type machine struct {
	dir string
	cmd *exec.Cmd
	mon *qmp.SocketMonitor
}

// arguments are those of QEMU, which fleece serve takes too.
func arguments(dir string) []string {
	return []string{
		"-S", "-blockdev", "driver=qcow2,node-name=disk,file.driver=file,file.filename=" + filepath.Join(dir, "disk"),
		"-device", "virtio-blk-pci,drive=disk,id=virtio-disk0",
	}
}

func simulator(fleece string) starter {
	return func(dir string) (*machine, error) {
		args := append([]string{"serve", "--dir", dir, "--qmp", "unix:" + filepath.Join(dir, "qmp"), "--"}, arguments(dir)...)
		return launch(dir, fleece, args)
	}
}

func realQEMU(qemu string) starter {
	return func(dir string) (*machine, error) {
		args := append(arguments(dir), "-nodefaults", "-display", "none", "-qmp", "unix:"+filepath.Join(dir, "qmp")+",server=on,wait=off")
		return launch(dir, qemu, args)
	}
}

// startMax is how long a machine may take to open its monitor.
const startMax = 20 * time.Second

func launch(dir, program string, args []string) (*machine, error) {
	m := &machine{dir: dir, cmd: exec.Command(program, args...)}
	var said strings.Builder
	m.cmd.Stderr = &said
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		mon, err := qmp.NewSocketMonitor("unix", filepath.Join(dir, "qmp"), startMax)
		if err == nil {
			if err = mon.Connect(); err == nil {
				m.mon = mon
				return m, nil
			}
		}
		if time.Since(start) > startMax {
			m.kill()
			return nil, fmt.Errorf("no monitor: %w: %s", err, said.String())
		}
	}
}

// do runs a command.
func (m *machine) do(name string, args map[string]any) error {
	command := map[string]any{"execute": name}
	if args != nil {
		command["arguments"] = args
	}
	text, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := m.mon.Run(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// guest makes guest writes, as qemu-io commands.
func (m *machine) guest(commands ...string) error {
	for _, c := range commands {
		line := fmt.Sprintf("qemu-io -d virtio-disk0/virtio-backend \"%s\"", c)
		if err := m.do("human-monitor-command", map[string]any{"command-line": line}); err != nil {
			return err
		}
	}
	return nil
}

type args = map[string]any

// begin fills the disk, makes a checkpoint, writes more, and starts an incremental
// pull backup.
func (m *machine) begin() error {
	scratch := filepath.Join(m.dir, "scratch")
	if err := os.WriteFile(scratch, nil, 0o600); err != nil {
		return err
	}
	return errors.Join(
		m.guest("write -P 1 0 1M", "write -P 2 2M 64k", "write -z 3M 128k"),
		m.do("block-dirty-bitmap-add", args{"node": "disk", "name": "c1", "persistent": true}),
		m.guest("write -P 3 512k 192k", "write -P 4 4194176 128"),
		m.do("blockdev-add", args{"driver": "file", "node-name": "storage", "filename": scratch}),
		m.do("blockdev-create", args{"job-id": "create", "options": args{
			"driver": "qcow2", "file": "storage", "size": 4 << 20, "backing-file": filepath.Join(m.dir, "disk"), "backing-fmt": "qcow2"}}),
		m.dismiss("create"),
		m.do("blockdev-add", args{"driver": "qcow2", "node-name": "scratch", "file": "storage", "backing": "disk"}),
		m.do("nbd-server-start", args{"addr": args{"type": "unix", "data": args{"path": m.socket()}}}),
		m.do("transaction", args{"actions": []any{
			args{"type": "block-dirty-bitmap-add", "data": args{"node": "scratch", "name": "changed", "persistent": false, "disabled": true}},
			args{"type": "block-dirty-bitmap-merge", "data": args{"node": "scratch", "target": "changed", "bitmaps": []any{args{"node": "disk", "name": "c1"}}}},
			args{"type": "blockdev-backup", "data": args{"device": "disk", "target": "scratch", "sync": "none", "job-id": "pull", "auto-dismiss": false}},
		}}),
		m.do("block-export-add", args{"type": "nbd", "id": "export", "node-name": "scratch", "name": "vda", "bitmaps": []string{"changed"}}),
	)
}

func (m *machine) socket() string { return filepath.Join(m.dir, "nbd") }

// dismiss waits for a job to conclude and dismisses it.
func (m *machine) dismiss(job string) error {
	var err error
	for range 1000 {
		if err = m.do("job-dismiss", args{"id": job}); err == nil {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

// finish ends the backup and the machine.
func (m *machine) finish() error {
	err := errors.Join(
		m.do("nbd-server-stop", nil),
		m.do("job-cancel", args{"id": "pull"}),
		m.dismiss("pull"),
		m.do("blockdev-del", args{"node-name": "scratch"}),
		m.do("blockdev-del", args{"node-name": "storage"}),
		m.do("quit", nil),
	)
	if err != nil {
		return err
	}
	return m.cmd.Wait()
}

// kill ends a machine that is still there.
func (m *machine) kill() {
	if m.cmd.ProcessState == nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
	}
}
