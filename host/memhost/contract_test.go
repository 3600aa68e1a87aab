package memhost_test

import (
	"testing"

	"fleece/host/hosttest"
	"fleece/host/memhost"
)

func TestMemhost_KeepsTheContractOfHost(t *testing.T) {
	hosttest.Contract(t, func(t *testing.T) hosttest.Subject {
		k := memhost.New(hosttest.NewProcess("kernel"), memhost.Options{})
		if err := k.MkdirAll("/some/dir"); err != nil {
			t.Fatal(err)
		}
		return hosttest.Subject{Dir: "/some/dir", View: k.View}
	})
}
