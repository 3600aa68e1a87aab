package oshost_test

import (
	"os"
	"strings"
	"testing"

	"fleece/host"
	"fleece/host/hosttest"
	"fleece/host/oshost"
	"fleece/rt"
	"fleece/rt/realrt"
)

func view(opts oshost.Options) func(p rt.Process) host.Host {
	return func(p rt.Process) host.Host { return oshost.New(p, opts) }
}

func TestOshost_KeepsTheContractOfHost(t *testing.T) {
	hosttest.Contract(t, func(t *testing.T) hosttest.Subject {
		world := realrt.NewWorld()
		return hosttest.Subject{Dir: t.TempDir(), View: view(oshost.Options{}), NewProcess: world.NewProcess}
	})
}

func TestOshost_KeepsTheContractBeneathARedirect(t *testing.T) {
	hosttest.Contract(t, func(t *testing.T) hosttest.Subject {
		opts := oshost.Options{Redirect: []oshost.Redirect{{From: "/not/there", To: t.TempDir()}}}
		return hosttest.Subject{Dir: "/not/there", View: view(opts)}
	})
}

func TestOshost_RedirectsOnlyWholeComponentsAndHidesTheRealPath(t *testing.T) {
	to := t.TempDir()
	h := oshost.New(hosttest.NewProcess("p"), oshost.Options{
		Redirect: []oshost.Redirect{{From: "/not/there", To: to}},
	})
	if err := host.WriteFileAtomic(h, "/not/there/f", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(to + "/f"); err != nil || string(data) != "x" {
		t.Fatalf("real file holds %q, %v", data, err)
	}
	if _, err := h.Stat("/not/thereabouts/f"); host.ErrText(err) != "No such file or directory" {
		t.Fatalf("a neighbour of the redirected path answered %v", err)
	}
	for _, err := range []error{
		h.Remove("/not/there/gone"), h.Rename("/not/there/gone", "/not/there/g"), h.Mkdir("/not/there/f", 0o700),
	} {
		if err == nil || strings.Contains(err.Error(), to) || !strings.Contains(err.Error(), "/not/there/") {
			t.Errorf("error text is %q", err)
		}
	}
}
