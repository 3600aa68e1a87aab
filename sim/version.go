package sim

import "fleece/qmp"

// Version is the QEMU that a machine is. What differs between versions lives here
// and nowhere else; 7.2 is complete.
type Version struct {
	Major, Minor, Micro int64
	Package             string
	// HasSinglestep tells that query-status shows singlestep (until 8.2).
	HasSinglestep bool
	// LosesFailedEnable tells that a block-dirty-bitmap-enable which fails in a
	// transaction leaves its bitmap disabled, {91} (until 8.0).
	LosesFailedEnable bool
}

// Version72 is QEMU 7.2.22 as Debian builds it, the reference.
func Version72() Version {
	return Version{
		Major: 7, Minor: 2, Micro: 22, Package: "Debian 1:7.2+dfsg-7+deb12u18+b3",
		HasSinglestep: true, LosesFailedEnable: true,
	}
}

// greetingOOB is the capability that socket chardevs offer (§1.1).
const greetingOOB = "oob"

// Greeting is the first message of a session.
func (m *Machine) Greeting() qmp.Value {
	v := &m.opts.Version
	return qmp.Greeting{
		Major: v.Major, Minor: v.Minor, Micro: v.Micro, Package: v.Package,
		Capabilities: []string{greetingOOB},
	}.Message()
}
