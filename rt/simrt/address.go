package simrt

// Address is where a choice is made: the N-th time, from 1, that a task reaches
// an operation on an object. After an advance of the clock Task is empty, Op is
// "clock", and Object the task that it woke first.
type Address struct {
	// Task is the task's name, and TaskK says the how-manieth of that name in
	// the world it is, from 1.
	Task  string
	TaskK int
	Op    string
	// Object is the name of the lock, condition, process, label, or what the
	// seam named.
	Object string
	N      int
}

// Target is what was chosen.
type Target struct {
	Kind TargetKind
	// Task and TaskK are set for ToTask.
	Task  string
	TaskK int
	// Value is set for ToValue, and not 0.
	Value int
}

// TargetKind tells targets apart.
type TargetKind uint8

// The kinds of target.
const (
	ToTask TargetKind = iota
	ToClock
	ToValue
)

// Deviation is a choice that was not the plain one.
type Deviation struct {
	At Address
	To Target
}

// TaskKey is the stable identity of the k-th task of that name, from 1.
func TaskKey(name string, k int) uint64 { return taskKey(hashString(name), uint32(k)) }

// Hash is the address as one number, the same in every process.
func (a Address) Hash() uint64 {
	if a.isClock() {
		name, k := ParseTaskLabel(a.Object)
		return addressHash(ClockKey, hashString(a.Op), TaskKey(name, k), uint32(a.N))
	}
	return addressHash(TaskKey(a.Task, a.TaskK), hashString(a.Op), hashString(a.Object), uint32(a.N))
}

// Key is the task as TaskKey gives it; ClockKey for the clock.
func (t Target) Key() uint64 {
	if t.Kind == ToClock {
		return ClockKey
	}
	return TaskKey(t.Task, t.TaskK)
}

func (a Address) isClock() bool { return a.Task == "" && a.TaskK == 0 }

func addressHash(key, op, object uint64, n uint32) uint64 {
	return mix(mix(mix(mix(hashOffset, key), op), object), uint64(n))
}

// deviation is a Deviation as a run records it: small, and without pointers. Names
// are by id, 0 for none.
type deviation struct {
	who, whoK    uint32 // after an advance of the clock who is 0, and whoK belongs to obj
	op, obj, nth uint32
	to, toK      uint32 // a task; the clock, toK 0; or the value toK, to 0
}

func (n *names) address(d *deviation) Address {
	a := Address{Op: n.byID(d.op), Object: n.byID(d.obj), N: int(d.nth)}
	if d.who != 0 {
		a.Task, a.TaskK = n.byID(d.who), int(d.whoK)
	} else {
		a.Object = TaskLabel(a.Object, int(d.whoK))
	}
	return a
}

func (n *names) export(d *deviation) Deviation {
	x := Deviation{At: n.address(d)}
	switch {
	case d.to == 0:
		x.To = Target{Kind: ToValue, Value: int(d.toK)}
	case d.toK == 0:
		x.To = Target{Kind: ToClock}
	default:
		x.To = Target{Kind: ToTask, Task: n.byID(d.to), TaskK: int(d.toK)}
	}
	return x
}
