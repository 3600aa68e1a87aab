package qmp

// The vocabulary files hold typed commands. Each has Command; what may go into a
// transaction has Action as well. A zero field is an absent member: "" for text,
// 0 for numbers, Unset for booleans, the absent Value for references. Where zero
// is a meaning of its own (speed, sizes) the member is always sent, and the field
// says so. The tag of a field is QEMU's name for it; a test holds every field
// against the schema of QEMU 7.2.

// Bool3 is an optional boolean.
type Bool3 uint8

// The values of Bool3.
const (
	Unset Bool3 = iota // the member is absent: QEMU's default
	False
	True
)

// ToBool3 makes an optional boolean that is set.
func ToBool3(b bool) Bool3 {
	if b {
		return True
	}
	return False
}

func (b Bool3) value() Value {
	if b == Unset {
		return Value{}
	}
	return Bool(b == True)
}

// text is an optional string.
func text(s string) Value {
	if s == "" {
		return Value{}
	}
	return Str(s)
}

// number is an optional integer.
func number(n int64) Value {
	if n == 0 {
		return Value{}
	}
	return Int(n)
}

// Commander is a typed command.
type Commander interface{ Command() Command }

// Action is what a transaction can hold.
type Action interface{ Action() Value }

func action(kind string, data Value) Value {
	return Dict(M("type", Str(kind)), M("data", data))
}

// Transaction executes actions as one: all or none, at one point in time.
type Transaction struct {
	Actions []Action
	// CompletionMode is "individual" or "grouped"; absent is individual.
	CompletionMode string
}

// Command gives the transaction as a command.
func (t Transaction) Command() Command {
	items := make([]Value, len(t.Actions))
	for i, a := range t.Actions {
		items[i] = a.Action()
	}
	args := []Member{M("actions", List(items...))}
	if t.CompletionMode != "" {
		args = append(args, M("properties", Dict(M("completion-mode", Str(t.CompletionMode)))))
	}
	return Command{Name: "transaction", Args: Dict(args...)}
}

// Abort is the action that makes its transaction fail.
type Abort struct{}

// Action gives the abort as part of a transaction.
func (Abort) Action() Value { return action("abort", Dict()) }
