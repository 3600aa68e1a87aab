package virt

// call is one public call under way: who asks, and the first fault that was found.
// Every check after a fault does nothing, so that a method lists its checks in
// their documented order and the first one wins.
type call struct {
	function string      // libvirt's name of the call
	from     ErrorDomain // of the libvirt file that the call lives in (VIR_FROM_THIS)
	conn     *Conn       // nil if the handle was bad: such an error reaches no connection
	fault    *Error
}

// refuse ends the checks of a call whose handle is bad. Like virCheckDomainReturn
// and its kin, which dispatch to no connection, it leaves LastError alone.
func (k call) refuse(code ErrorNumber, from ErrorDomain) call {
	k.conn = nil
	k.fault = Errorf(code, from, "%s", k.function)
	return k
}

// set notes a fault of the call's own file.
func (k *call) set(e *Error) { k.fault = e.In(k.from) }

// writable refuses a read-only connection (29).
func (k *call) writable() {
	if k.fault == nil && k.conn.opts.ReadOnly {
		k.set(Errorf(ERR_OPERATION_DENIED, k.from, "read only access prevents %s", k.function))
	}
}

// notSecure refuses a SECURE flag on a read-only connection (29).
func (k *call) notSecure(secure bool) {
	if k.fault == nil && secure && k.conn.opts.ReadOnly {
		k.set(Errorf(ERR_OPERATION_DENIED, k.from, "%s with secure flag", k.function))
	}
}

// nonNull refuses NULL (8).
func (k *call) nonNull(arg string, s *string) {
	if k.fault == nil && s == nil {
		k.set(NonNullArg(arg, k.function))
	}
}

// nonNegative refuses a number below zero (8).
func (k *call) nonNegative(arg string, n int) {
	if k.fault == nil && n < 0 {
		k.set(NonNegativeArg(arg, k.function))
	}
}

// flag is whether a flag is given, with its C name.
type flag struct {
	given bool
	name  string
}

// exclusive refuses two flags together (8).
func (k *call) exclusive(a, b flag) {
	if k.fault == nil && a.given && b.given {
		k.set(ExclusiveFlags(a.name, b.name))
	}
}

// requires refuses a flag without the one that it needs (8).
func (k *call) requires(given, required flag) {
	if k.fault == nil && given.given && !required.given {
		k.set(RequiredFlag(given.name, required.name))
	}
}

// possible turns an impossible result without an error into code 1 (E006).
func (k *call) possible(ok bool) {
	if k.fault == nil && !ok {
		k.fault = unknownCause()
	}
}

// end ends the call: a fault becomes the connection's last error, and is reported
// once. It returns a nil interface if all went well.
func (k *call) end() error {
	if k.fault == nil {
		return nil
	}
	if k.conn != nil {
		k.conn.failed(k.fault)
	}
	return k.fault
}

// number ends a call whose result is a number >= 0; it is -1 beside an error.
func (k *call) number(n int) (int, error) {
	k.possible(n >= 0)
	if err := k.end(); err != nil {
		return -1, err
	}
	return n, nil
}

// text ends a call whose result is a document; it is empty beside an error.
func (k *call) text(xml string) (string, error) {
	k.possible(xml != "")
	if err := k.end(); err != nil {
		return "", err
	}
	return xml, nil
}

// ask lets the driver answer, through its interface I: a driver without it gives
// NO_SUPPORT (3) with the name of the call. After a fault it asks nobody, and
// beside a fault the result is the zero value.
func ask[I, R any](k *call, answer func(driver I) (R, error)) R {
	var none R
	if k.fault != nil {
		return none
	}
	driver, ok := k.conn.driver.(I)
	if !ok {
		k.set(Errorf(ERR_NO_SUPPORT, k.from, "%s", k.function))
		return none
	}
	result, err, gone := invoke(k.conn, k.function, func() (R, error) { return answer(driver) })
	switch {
	case gone != nil:
		k.fault = connectionLost(gone)
	case err != nil:
		k.fault = asError(err)
	default:
		return result
	}
	return none
}

// tell is ask for a call without a result.
func tell[I any](k *call, request func(driver I) error) {
	ask(k, func(driver I) (struct{}, error) { return struct{}{}, request(driver) })
}

// invoke runs f where the driver lives. gone says that the driver's process died
// before f returned. The task of f may then still be on its way out and write its
// answer, so the answer is a variable of its own, which is not read in that case.
func invoke[R any](c *Conn, function string, f func() (R, error)) (result R, err, gone error) {
	if c.opts.Invoke == nil {
		result, err = f()
		return result, err, nil
	}
	answer := new(struct {
		result R
		err    error
	})
	if gone = c.opts.Invoke(function, func() { answer.result, answer.err = f() }); gone != nil {
		return result, nil, gone
	}
	return answer.result, answer.err, nil
}
