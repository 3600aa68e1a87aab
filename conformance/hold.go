package conformance

import (
	"fmt"

	"github.com/onsi/gomega"

	"fleece/qmp"
	"fleece/rt"
)

// holds is what the taps of a run do to new pushes.
type holds struct {
	active bool // guarded by T.leaf
}

// holdSpeed is one byte per second: QEMU copies the first MiB at once and then
// stalls (qemu-behaviour §5.5).
const holdSpeed = 1

// HoldPushes makes every push that begins from now on stall after its first MiB,
// until ReleasePushes. The tap on the driver's connection adds "speed": 1 to
// blockdev-backup; the driver knows nothing of it.
func (t *T) HoldPushes() { t.setHold(true) }

// LetPushesGo ends HoldPushes for pushes that have not begun.
func (t *T) LetPushesGo() { t.setHold(false) }

func (t *T) setHold(on bool) {
	t.leaf.Lock()
	t.holds.active = on
	t.leaf.Unlock()
}

// ReleasePushes lets the held pushes of a domain run on, on the harness's own
// monitor, and holds no further ones.
func (t *T) ReleasePushes(d *Domain) {
	t.LetPushesGo()
	t.second(d.Name, func(m *qmp.Monitor) {
		for _, id := range namesOf(t.query(m, qmp.Command{Name: "query-block-jobs"}).Items(), "device") {
			release := qmp.Command{Name: "block-job-set-speed", Args: qmp.Dict(
				qmp.M("device", qmp.Str(id)), qmp.M("speed", qmp.Int(0)))}
			if _, err := m.Run(release); err != nil {
				// The job may have ended meanwhile; anything else is trouble.
				t.Expect(err.Error()).To(gomega.Or(containText("not found"), containText("cannot accept command verb")), "release job %s", id)
			}
		}
	})
}

// ExchangeMax bounds the QMP messages kept for a failure's report.
const ExchangeMax = 400

// tap lies on every connection of the driver: it holds pushes and keeps the
// exchange.
func (t *T) tap(p rt.Process, c qmp.Conn) qmp.Conn {
	opts := qmp.TapOptions{Name: "harness-tap"}
	if t.env.KeepExchange {
		opts.Record = t.keepExchange
	}
	tap := qmp.NewTap(p, c, opts)
	for _, rule := range qmp.AddJobSpeed(holdSpeed) {
		rule.If = func(qmp.Value) bool { return t.holding() }
		tap.Add(rule)
	}
	t.leaf.Lock()
	t.taps = append(t.taps, placedTap{p, tap})
	t.leaf.Unlock()
	return tap
}

func (t *T) holding() bool {
	t.leaf.Lock()
	defer t.leaf.Unlock()
	return t.holds.active
}

// keepExchange remembers one message between driver and QEMU. It is called under
// the tap's lock, a leaf, and so takes one of its own only.
func (t *T) keepExchange(l qmp.Line) {
	t.leaf.Lock()
	if len(t.exchange) < ExchangeMax {
		t.exchange = append(t.exchange, fmt.Sprintf("%s %v", l.Dir, l.Message))
	}
	t.leaf.Unlock()
}
