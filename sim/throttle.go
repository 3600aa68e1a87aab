package sim

import (
	"time"

	"fleece/qmp"
)

// throttleLimits are the limits of a throttle group or of a device's backend, in
// bytes and requests per second; 0 is none.
type throttleLimits struct {
	bps, bpsRead, bpsWrite    int64
	iops, iopsRead, iopsWrite int64
}

// throttleMax is THROTTLE_VALUE_MAX.
const throttleMax = 1_000_000_000_000_000

// bucket is one limit with its burst.
type bucket struct{ avg, burst, length int64 }

// parseLimits reads ThrottleLimits; the order of the checks is throttle_is_valid's.
func parseLimits(v qmp.Value) (l throttleLimits, err *qmp.ReplyError) {
	kinds := [...]string{"bps-total", "bps-read", "bps-write", "iops-total", "iops-read", "iops-write"}
	var buckets [len(kinds)]bucket
	for i, kind := range kinds {
		b := &buckets[i]
		b.avg, _ = v.Get(kind).Int64()
		b.burst, _ = v.Get(kind + "-max").Int64()
		b.length = 1
		if n, ok := v.Get(kind + "-max-length").Int64(); ok {
			b.length = n
		}
	}
	size, _ := v.Get("iops-size").Int64()
	if err := checkLimits(buckets[:], size); err != nil {
		return l, err
	}
	return throttleLimits{
		buckets[0].avg, buckets[1].avg, buckets[2].avg,
		buckets[3].avg, buckets[4].avg, buckets[5].avg,
	}, nil
}

func checkLimits(b []bucket, size int64) *qmp.ReplyError {
	both := func(get func(bucket) int64, i int) bool {
		return get(b[i]) != 0 && (get(b[i+1]) != 0 || get(b[i+2]) != 0)
	}
	avg, burst := func(x bucket) int64 { return x.avg }, func(x bucket) int64 { return x.burst }
	if both(avg, 0) || both(avg, 3) || both(burst, 0) || both(burst, 3) {
		return qmp.Generic("bps/iops/max total values and read/write values cannot be used at the same time")
	}
	if size != 0 && b[3].avg == 0 && b[4].avg == 0 && b[5].avg == 0 {
		return qmp.Generic("iops size requires an iops value to be set")
	}
	for _, x := range b {
		switch {
		case x.avg < 0 || x.burst < 0 || x.avg > throttleMax || x.burst > throttleMax:
			return qmp.Generic("bps/iops/max values must be within [0, " + itoa(throttleMax) + "]")
		case x.length == 0:
			return qmp.Generic("the burst length cannot be 0")
		case x.length > 1 && x.burst == 0:
			return qmp.Generic("burst length set without burst rate")
		case x.burst != 0 && x.avg == 0:
			return qmp.Generic("bps_max/iops_max require corresponding bps/iops values")
		case x.burst != 0 && x.burst < x.avg:
			return qmp.Generic("bps_max/iops_max cannot be lower than bps/iops")
		}
	}
	return nil
}

// openThrottle opens a throttle filter.
func (m *Machine) openThrottle(n *node) *qmp.ReplyError {
	if _, err := m.openChild(n, "file", "file"); err != nil {
		return err
	}
	group := n.options.Get("throttle-group").S()
	if o := m.object(group); o == nil || o.kind != "throttle-group" {
		return qmp.Generic("Throttle group '" + group + "' does not exist")
	}
	n.drv = &passDriver{n}
	m.insert(n)
	return nil
}

// setIOThrottle is block_set_io_throttle: the limits show in query-block, and under
// the name of the device as their group.
func (m *Machine) setIOThrottle(a qmp.Value) *qmp.ReplyError {
	name := a.Get("id")
	if device := a.Get("device"); device.Present() {
		if name.Present() {
			return qmp.Generic("Need exactly one of 'device' and 'id'")
		}
		return &qmp.ReplyError{Class: qmp.DeviceNotFound, Desc: "Device '" + device.S() + "' not found"}
	}
	if !name.Present() {
		return qmp.Generic("Need exactly one of 'device' and 'id'")
	}
	d, err := m.qdevBackend(name.S())
	if err != nil {
		return err
	}
	if d.root == nil {
		return qmp.Generic("Device '" + name.S() + "' has no medium")
	}
	var b [6]bucket
	for i, kind := range [...]string{"bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"} {
		b[i].avg, _ = a.Get(kind).Int64()
		b[i].burst, _ = a.Get(kind + "_max").Int64()
		b[i].length = 1
		if n, ok := a.Get(kind + "_max_length").Int64(); ok {
			b[i].length = n
		}
	}
	size, _ := a.Get("iops_size").Int64()
	if err := checkLimits(b[:], size); err != nil {
		return err
	}
	d.limits = throttleLimits{b[0].avg, b[1].avg, b[2].avg, b[3].avg, b[4].avg, b[5].avg}
	d.group = ""
	if d.limits != (throttleLimits{}) {
		d.group = a.Get("group").TextOr(name.S())
	}
	return nil
}

// throttle makes a request wait for the throttle groups on its way down.
func (m *Machine) throttle(n *node, length int64) {
	if wait := m.reserve(n, length).Sub(m.p.Now()); wait > 0 {
		m.pass(wait)
	}
}

// reserve books a request with the throttle groups on its way down and tells when it may
// go. Only totals slow anything down here, and bursts are not known but the tenth of a
// second that every bucket has (throttle_compute_wait).
func (m *Machine) reserve(n *node, length int64) time.Time {
	const leeway = time.Second / 10
	now := m.p.Now()
	due := now
	for ; n != nil; n = n.filtered() {
		if n.kind != "throttle" {
			continue
		}
		o := m.object(n.options.Get("throttle-group").S())
		if o == nil {
			continue
		}
		cost := time.Duration(0)
		if o.limits.iops > 0 {
			cost = time.Second / time.Duration(o.limits.iops)
		}
		if o.limits.bps > 0 {
			cost = max(cost, time.Duration(float64(length)/float64(o.limits.bps)*float64(time.Second)))
		}
		if o.free.Before(now) {
			o.free = now
		}
		if at := o.free.Add(-leeway); at.After(due) {
			due = at
		}
		o.free = o.free.Add(cost)
	}
	return due
}

// letGo lets copies on that wait for a throttle group: there are no limits while a section
// is open.
func (m *Machine) letGo() {
	for _, j := range m.jobs {
		if b, ok := j.work.(*backup); ok && b.throttled {
			j.cond.Broadcast()
		}
	}
}
