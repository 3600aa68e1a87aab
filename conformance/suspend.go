package conformance

// Suspended calls f while the domain is suspended. A suspended guest writes nothing: what
// it has issued ends before, what it wants to write waits.
func (d *Domain) Suspended(f func()) {
	t := d.t
	t.mu.Lock()
	d.halted = true
	t.mu.Unlock()
	t.Await("the guest's writes to end", func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return d.writing == 0
	})
	t.Expect(d.Suspend()).To(succeed(), "suspend the domain")
	f()
	t.Expect(d.Resume()).To(succeed(), "resume the domain")
	t.mu.Lock()
	d.halted = false
	t.noteChange()
	t.mu.Unlock()
}

// enter is before each write of the guest: it waits while the guest is suspended. T.mu is
// held.
func (d *Domain) enter() {
	for d.halted && !d.t.over {
		d.t.changed.Wait()
	}
	d.writing++
}
