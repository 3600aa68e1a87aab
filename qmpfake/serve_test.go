package qmpfake_test

import (
	"strings"
	"testing"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/qmpfake"
	"fleece/rt"
	"fleece/rt/simrt"
)

// withMachine runs f with a machine without disks.
func withMachine(t *testing.T, f func(w *simrt.World, hv *qmpfake.Hypervisor, m *qmpfake.Machine)) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	r := simrt.Run(simrt.Options{KeepLog: true}, func(w *simrt.World) {
		k := memhost.New(w.Kernel(), memhost.Options{})
		hv, err := qmpfake.NewHypervisor(w, func(p rt.Process) host.Host { return k.View(p) }, qmpfake.Options{Schema: schema})
		if err != nil {
			t.Error(err)
			return
		}
		m, err := hv.Launch(machine.Spec{Name: "vm", Paused: true})
		if err != nil {
			t.Error(err)
			return
		}
		f(w, hv, m)
	})
	if r.Failure != nil {
		t.Fatalf("%s: %s\n%s", r.Failure.Kind, r.Failure.Detail, r.Failure.Stack)
	}
}

func dialed(t *testing.T, conn qmp.Conn, err error) *client {
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, conn: conn}
}

func TestServe_KeepsCommandsOutBeforeTheNegotiation(t *testing.T) {
	withMachine(t, func(w *simrt.World, _ *qmpfake.Hypervisor, m *qmpfake.Machine) {
		conn, err := m.Dial(w.Spec())
		c := dialed(t, conn, err)
		if _, ok := qmp.ParseGreeting(c.recv()); !ok {
			t.Error("no greeting")
		}
		_ = conn.Send(qmp.Command{Name: "query-status"}.Message(qmp.Str("x")))
		reply := c.recv()
		if got := reply.Get("error").Get("class").S(); got != qmp.CommandNotFound || reply.Get("id").S() != "x" {
			t.Errorf("reply %v", reply)
		}
		c.call("qmp_capabilities")
		if got := c.call("query-status").Get("status").S(); got != "prelaunch" {
			t.Errorf("status %s", got)
		}
	})
}

func TestServe_SendsEventsToEveryNegotiatedMonitorOnly(t *testing.T) {
	withMachine(t, func(w *simrt.World, _ *qmpfake.Hypervisor, m *qmpfake.Machine) {
		var cs [3]*client
		for i := range cs {
			conn, err := m.Dial(w.Spec())
			cs[i] = dialed(t, conn, err)
			cs[i].recv()
			if i < 2 {
				cs[i].call("qmp_capabilities")
			}
		}
		cs[0].call("cont")
		if e, ok := qmp.ParseEvent(cs[1].recv()); !ok || e.Name != "RESUME" {
			t.Errorf("the second monitor got %v", e)
		}
		cs[2].call("qmp_capabilities") // its first message after the greeting is the reply
		if len(cs[2].events) != 0 {
			t.Errorf("the third monitor got %v", cs[2].events)
		}
	})
}

func TestChardev_GreetsASecondClientWhenTheFirstIsGone(t *testing.T) {
	withMachine(t, func(w *simrt.World, hv *qmpfake.Hypervisor, m *qmpfake.Machine) {
		driver := w.NewProcess("driver")
		var first qmp.Conn
		_ = driver.Call("first", func() {
			h, err := hv.For(driver).Attach("vm")
			if err != nil {
				t.Error(err)
				return
			}
			first, _ = h.Dial()
			if _, err := first.Recv(); err != nil {
				t.Error(err)
			}
		})
		h, err := hv.For(w.Spec()).Attach("vm")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := h.Dial()
		second := dialed(t, conn, err)
		greeted := false
		w.Spec().Go("second", func() {
			second.recv()
			greeted = true
		})
		w.Spec().Sleep(1)
		if greeted {
			t.Error("two clients at a time")
		}
		driver.Kill()
		w.Spec().Sleep(1)
		if !greeted {
			t.Error("the first is dead and the second waits still")
		}
	})
}

func TestHypervisor_FindsAMachineUntilItQuits(t *testing.T) {
	withMachine(t, func(w *simrt.World, hv *qmpfake.Hypervisor, m *qmpfake.Machine) {
		if _, err := hv.Launch(machine.Spec{Name: "vm"}); err == nil {
			t.Error("a second machine of the same name runs")
		}
		conn, err := m.Dial(w.Spec())
		c := dialed(t, conn, err)
		c.recv()
		c.call("qmp_capabilities")
		c.call("quit")
		if _, err := conn.Recv(); err == nil {
			t.Error("still connected")
		}
		w.Spec().Sleep(1)
		if _, err := hv.For(w.Spec()).Attach("vm"); err != machine.ErrNotRunning {
			t.Errorf("attach: %v", err)
		}
	})
}

func TestHypervisor_PassesOnWhatQEMUSaysWhenItCannotStart(t *testing.T) {
	withMachine(t, func(w *simrt.World, hv *qmpfake.Hypervisor, m *qmpfake.Machine) {
		_, err := hv.Launch(machine.Spec{Name: "other", Nodes: []qmp.Value{storage("s", "/missing")}})
		const want = "Could not open '/missing': No such file or directory"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("launch: %v", err)
		}
	})
}
