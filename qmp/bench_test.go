package qmp_test

import (
	"fmt"
	"testing"

	"fleece/qmp"
	"fleece/rt/simrt"
)

// BenchmarkMonitor_ThirtyCommands is the messages of about one backup cycle in a
// simulated world, checked against the schema by the server.
func BenchmarkMonitor_ThirtyCommands(b *testing.B) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		b.Fatal(err)
	}
	for _, wire := range []bool{false, true} {
		b.Run(fmt.Sprintf("wire %v", wire), func(b *testing.B) {
			b.ReportAllocs()
			pool := simrt.NewPool(simrt.Coro)
			for range b.N {
				simrt.Run(simrt.Options{Pool: pool}, func(w *simrt.World) { thirtyCommands(w, schema, wire) })
			}
		})
	}
}

func thirtyCommands(w *simrt.World, schema *qmp.Schema, wire bool) {
	client, server := pipe(w, wire)
	w.NewProcess("qemu").Go("qemu", func() {
		_ = server.Send(greeting())
		for {
			m, err := server.Recv()
			if err != nil {
				return
			}
			r, bad := qmp.ParseRequest(m, false)
			if bad == nil {
				bad = schema.CheckRequest(r)
			}
			if bad != nil {
				panic(bad)
			}
			_ = server.Send(qmp.Return(qmp.Dict(), r.ID))
		}
	})
	m, err := connected(w.Spec(), client, qmp.MonitorOptions{})
	if err != nil {
		panic(err)
	}
	for range 30 {
		backup := qmp.BlockdevBackup{Device: "libvirt-1-format", JobID: "j", Target: "t", Sync: "full", AutoDismiss: qmp.False}
		if _, err := m.Run(backup.Command()); err != nil {
			panic(err)
		}
	}
	_ = m.Close()
}
