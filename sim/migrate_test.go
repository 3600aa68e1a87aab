package sim

import (
	"io"
	"testing"

	"fleece/host"
)

const migrateEvents = `{"execute": "migrate-set-capabilities", "arguments": {"capabilities": [{"capability": "events", "state": true}]}}`

// status is what query-migrate tells.
func (b *bench) migration() (status, problem string) {
	v := b.qmp(`{"execute": "query-migrate"}`)
	return v.Get("status").S(), v.Get("error-desc").S()
}

func TestMigration_FailsWithTheReasonWhereNobodyListens(t *testing.T) {
	inWorld(t, 1<<20, nil, func(b *bench) {
		b.qmp(`{"execute": "migrate", "arguments": {"uri": "unix:/img/nobody"}}`)
		b.w.Spec().Sleep(migrateTotalTime)
		if status, problem := b.migration(); status != "failed" || problem != "Failed to connect to '/img/nobody': No such file or directory" {
			t.Errorf("%s %q", status, problem)
		}
	})
}

func TestMigration_WaitsForWhoReadsAndCanBeCancelled(t *testing.T) {
	inWorld(t, 1<<20, nil, func(b *bench) {
		l, err := b.host().Listen(host.Unix, "/img/there")
		b.must(err)
		b.qmp(`{"execute": "migrate", "arguments": {"uri": "unix:/img/there"}}`)
		b.w.Spec().Sleep(migrateTotalTime)
		if status, _ := b.migration(); status != "active" {
			t.Errorf("nobody reads, and the status is %s", status)
		}
		b.qmp(`{"execute": "migrate_cancel"}`)
		b.w.Spec().Sleep(migrateTotalTime)
		if status, _ := b.migration(); status != "cancelled" {
			t.Errorf("after the cancel it is %s", status)
		}
		c, err := l.Accept()
		b.must(err)
		b.must(c.Close())
		b.qmp(`{"execute": "migrate", "arguments": {"uri": "unix:/img/there"}}`)
		c, err = l.Accept()
		b.must(err)
		n, err := io.Copy(io.Discard, c)
		b.must(err)
		b.w.Spec().Sleep(migrateTotalTime)
		if status, _ := b.migration(); status != "completed" || n < memoryBytes {
			t.Errorf("after %d bytes it is %s", n, status)
		}
	})
}

func TestMigration_FailsWhenThePeerGoesAway(t *testing.T) {
	inWorld(t, 1<<20, nil, func(b *bench) {
		b.qmp(migrateEvents)
		l, err := b.host().Listen(host.Unix, "/img/there")
		b.must(err)
		b.qmp(`{"execute": "migrate", "arguments": {"uri": "unix:/img/there"}}`)
		c, err := l.Accept()
		b.must(err)
		b.must(c.Close())
		b.w.Spec().Sleep(migrateTotalTime)
		if status, problem := b.migration(); status != "failed" || problem != "Unable to write to socket: Broken pipe" {
			t.Errorf("%s %q", status, problem)
		}
	})
}
