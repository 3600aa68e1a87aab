package simrt

// Chooser makes the choices of a run. Answers must depend on nothing but what
// the Point shows and on the chooser's own state.
type Chooser interface {
	// Pick answers an option in [0, p.Len()); 0 is the plain one.
	Pick(p *Point) int
	// Data answers a value in [0,n), n ≥ 2, for a Choose of that label at p,
	// which has no options; 0 is the plain one.
	Data(p *Point, label string, n int) int
}

// plain takes option 0 everywhere.
type plain struct{}

func (plain) Pick(*Point) int              { return 0 }
func (plain) Data(*Point, string, int) int { return 0 }

// ClockID is what Point.TaskID answers for the clock.
const ClockID = -1

// Point is one choice as a Chooser sees it. It is valid during the call only.
type Point struct {
	w       *World
	who     *task // who reached it
	canGo   bool
	clock   bool
	n       int
	byClock bool   // the clock moved since who reached it
	woken   *task  // the first task that the clock woke
	clockNo uint32 // how-manieth time it woke that one
}

// Len is the number of options.
func (p *Point) Len() int { return p.n }

// CanGo says that option 0 is the running task: any other preempts it.
func (p *Point) CanGo() bool { return p.canGo }

// Clock says that the last option is the clock.
func (p *Point) Clock() bool { return p.clock }

// Index is the number of choices before this one, data choices included.
func (p *Point) Index() int { return p.w.points - 1 }

// option is the task of option i; nil for the clock.
func (p *Point) option(i int) *task {
	if p.canGo {
		if i == 0 {
			return p.who
		}
		i--
	}
	if i < len(p.w.runq) {
		return p.w.runq[i]
	}
	return nil
}

// TaskID is the number of option i's task, in order of creation from 0, or ClockID.
func (p *Point) TaskID(i int) int {
	if t := p.option(i); t != nil {
		return int(t.id)
	}
	return ClockID
}

// TaskKey is the stable identity of option i's task (see TaskKey), or ClockKey.
func (p *Point) TaskKey(i int) uint64 {
	if t := p.option(i); t != nil {
		return t.key
	}
	return ClockKey
}

// TaskLabel is option i's task as traces name it, or "clock".
func (p *Point) TaskLabel(i int) string {
	if t := p.option(i); t != nil {
		return t.label()
	}
	return "clock"
}

// Pending is the operation that option i's task does if it is chosen, and the
// name of its object; "clock" for the clock.
func (p *Point) Pending(i int) (op, object string) {
	if t := p.option(i); t != nil {
		return t.op.s, t.obj.s
	}
	return "clock", ""
}

// ObjectKey tells the objects of pending operations apart; 0 is no object.
// Locks and conditions of one name differ, objects of rt.Point with one name do
// not.
func (p *Point) ObjectKey(i int) uint64 {
	if t := p.option(i); t != nil {
		return t.objKey
	}
	return 0
}

// Address is where the point is.
func (p *Point) Address() Address {
	d := p.deviation()
	return p.w.names.address(&d)
}

// AddressHash is Address().Hash() without the strings.
func (p *Point) AddressHash() uint64 {
	if p.byClock {
		return addressHash(ClockKey, p.w.ops.clock.hash, p.woken.key, p.clockNo)
	}
	return addressHash(p.who.key, p.who.op.hash, p.who.obj.hash, p.who.nth)
}

// deviation begins the record of a choice at this point.
func (p *Point) deviation() deviation {
	if p.byClock {
		return deviation{whoK: p.woken.k, op: p.w.ops.clock.id, obj: p.woken.name.id, nth: p.clockNo}
	}
	t := p.who
	return deviation{who: t.name.id, whoK: t.k, op: t.op.id, obj: t.obj.id, nth: t.nth}
}
