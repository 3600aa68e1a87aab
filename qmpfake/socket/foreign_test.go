package socket_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/go-qemu/qemu"
	api "github.com/digitalocean/go-qemu/qmp"
)

// dialGoQEMU connects with go-qemu's own client.
func dialGoQEMU(t *testing.T, v *served, monitor int) *api.SocketMonitor {
	t.Helper()
	m, err := api.NewSocketMonitor(v.addrs[monitor].Network, v.addrs[monitor].Path, patience)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Connect(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGoQEMUsSocketMonitorDrivesTheServer(t *testing.T) {
	v := serve(t, 1)
	for monitor := range 2 {
		m := dialGoQEMU(t, v, monitor)
		if m.Version.QEMU.Major != 7 || m.Version.QEMU.Minor != 2 {
			t.Errorf("version %+v", m.Version)
		}
		reply, err := m.Run([]byte(`{"execute":"query-status"}`))
		if err != nil || !strings.Contains(string(reply), `"status": "prelaunch"`) {
			t.Errorf("%s, %v", reply, err)
		}
		if _, err := m.Run([]byte(`{"execute":"nosuch"}`)); err == nil || !strings.Contains(err.Error(), "The command nosuch has not been found") {
			t.Errorf("%v", err)
		}
		if err := m.Disconnect(); err != nil {
			t.Error(err)
		}
	}
}

func TestGoQEMUsDomainDrivesTheServer(t *testing.T) {
	v := serve(t, 1)
	d, err := qemu.NewDomain(dialGoQEMU(t, v, 0), "vm")
	if err != nil {
		t.Fatal(err)
	}
	version, err := d.Version()
	if err != nil || version != "7.2.22" {
		t.Errorf("version %q, %v", version, err)
	}
	if ok, err := d.Supported("blockdev-backup"); !ok || err != nil {
		t.Errorf("blockdev-backup is supported: %v, %v", ok, err)
	}
	devices, err := d.BlockDevices()
	if err != nil || len(devices) != 1 || devices[0].Inserted.File != "/d" {
		t.Errorf("devices %+v, %v", devices, err)
	}
	if status, err := d.Status(); err != nil || status != qemu.StatusPreLaunch {
		t.Errorf("status %v, %v", status, err)
	}
	names, done := eventNames(t, d)
	for _, c := range []api.Command{
		{Execute: "cont"},
		{Execute: "blockdev-add", Args: map[string]any{"driver": "null-co", "node-name": "t", "size": 64 << 20}},
		{Execute: "blockdev-backup", Args: map[string]any{"job-id": "b", "device": "d", "target": "t", "sync": "full", "speed": 1}},
	} {
		if _, err := d.Run(c); err != nil {
			t.Fatalf("%s: %v", c.Execute, err)
		}
	}
	if jobs, err := d.BlockJobs(); err != nil || len(jobs) != 1 || jobs[0].Device != "b" {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	if _, err := d.Run(api.Command{Execute: "block-job-set-speed", Args: map[string]any{"device": "b", "speed": 0}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) == 0 || got[len(got)-1] != "BLOCK_JOB_COMPLETED" {
		select {
		case name := <-names:
			got = append(got, name)
		case <-time.After(patience):
			t.Fatalf("no end of the job; events %v", got)
		}
	}
	if got[0] != "RESUME" {
		t.Errorf("events %v", got)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	close(done)
}

// eventNames gives the names of events. It reads them as they come: go-qemu stands
// still as soon as one is not read.
func eventNames(t *testing.T, d *qemu.Domain) (<-chan string, chan<- struct{}) {
	t.Helper()
	events, done, err := d.Events()
	if err != nil {
		t.Fatal(err)
	}
	const more = 1000 // than this test makes
	names := make(chan string, more)
	go func() {
		for e := range events {
			names <- e.Event
		}
	}()
	return names, done
}

// nodeModules is where .ci/deps puts clients of npm, from here.
const nodeModules = "../../tools/npm/node_modules"

func TestAClientOfAnotherLanguageDrivesTheServer(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: ", err)
	}
	if _, err := os.Stat(filepath.Join(nodeModules, "qemu-qmp")); err != nil {
		t.Skip("npm's qemu-qmp is not installed (npm ci --prefix tools/npm): ", err)
	}
	modules, err := filepath.Abs(nodeModules)
	if err != nil {
		t.Fatal(err)
	}
	v := serve(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	c := exec.CommandContext(ctx, node, "testdata/client.js", v.addrs[0].Path)
	c.Env = append(os.Environ(), "NODE_PATH="+modules)
	c.WaitDelay = time.Second
	out, err := c.CombinedOutput()
	const want = "qemu 7 2\nprelaunch\nSTOP\nBLOCK_JOB_COMPLETED\nThe command nosuch has not been found\ndone\n"
	if err != nil || string(out) != want {
		t.Errorf("%v:\n%s", err, out)
	}
}
