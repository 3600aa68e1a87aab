package walk

import "fleece/qmp"

// spoil makes one in 25 commands wrong in form: an argument too few or too many, or
// of another type. Steps that would then crash the real binary are left as they are.
func (w *Walker) spoil(s Step) Step {
	if !w.d.In(25) || s.Raw != "" || s.Command.Name == "human-monitor-command" {
		return s
	}
	members := append([]qmp.Member(nil), s.Command.Args.Members()...)
	if len(members) == 0 || w.d.In(3) {
		members = append(members, text("extra", "1"))
	} else {
		i := w.d.N(len(members))
		if w.d.In(3) {
			members = append(members[:i], members[i+1:]...)
		} else {
			if members[i].Name == "size" {
				return s // a negative size of null-co crashes the real binary
			}
			members[i].Value = one(w.d, qmp.Int(-1), qmp.Str("bogus"), qmp.Null(), qmp.Bool(true), qmp.Dict())
		}
	}
	s.Command.Args = qmp.Dict(members...)
	return s
}

// odd is a request that is no command.
func (w *Walker) odd() Step {
	if w.d.In(3) {
		return command(one(w.d, unknown, "qmp_capabilities", "x-oob-test"))
	}
	return Step{Raw: one(w.d,
		"[1]\n", "{}\n", `{"execute": 1}`+"\n", `{"execute": "query-status", "arguments": 1}`+"\n", `{"execute": "query-status", "foo": 1}`+"\n",
		`{"execute": "query-status",}`+"\n", `{"execute" "x"}`+"\n", `{"a": 1, "a": 2}`+"\n", "bogus\n", `{"a": "\q"}`+"\n", `"\ud800"`+"\n",
		`{"a":1]`+"\n", "@\n", "%d\n", "01\n", "+1\n", `{"exec-oob": "query-status"}`+"\n", `'single'`+"\n")}
}
