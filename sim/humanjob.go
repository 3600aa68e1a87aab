package sim

import (
	"strings"

	"fleece/qmp"
)

// humanVerb executes the human forms of QMP commands about jobs, exports and devices;
// done is false for others.
func (m *Machine) humanVerb(name, rest string) (out string, done bool) {
	words := strings.Fields(rest)
	args := []qmp.Member{}
	if len(words) > 0 && words[0] == "-f" {
		args, words = append(args, qmp.M("force", qmp.Bool(true))), words[1:]
	}
	device := ""
	if len(words) > 0 {
		device = words[0]
	}
	switch name {
	case "block_job_cancel", "block_job_pause", "block_job_resume", "block_job_complete":
		args = append(args, qmp.M("device", qmp.Str(device)))
		_, err := m.jobCommand(qmp.Command{Name: strings.ReplaceAll(name, "_", "-"), Args: qmp.Dict(args...)})
		return humanError(err), true
	case "block_job_set_speed":
		speed := int64(0)
		if len(words) > 1 {
			speed, _ = parseSize(words[1])
		}
		args = append(args, qmp.M("device", qmp.Str(device)), qmp.M("speed", qmp.Int(speed)))
		_, err := m.jobCommand(qmp.Command{Name: "block-job-set-speed", Args: qmp.Dict(args...)})
		return humanError(err), true
	case "nbd_server_stop":
		return humanError(m.nbdStop()), true
	case "block_resize": // a device has no name here
		return "Error: Cannot find device='" + device + "' nor node-name=''\r\n", true
	case "eject":
		return humanError(&qmp.ReplyError{Desc: "Device '" + device + "' not found"}), true
	case "migrate_cancel":
		m.cancelMigration()
		return "", true
	case "quit", "q":
		if rest != "" {
			return "quit|q: extraneous characters at the end of line\r\nTry \"help quit\" for more information\r\n", true
		}
		m.quit("host-qmp-quit")
		return "", true
	case "commit":
		if device == "all" {
			return "", true
		}
		return "Device '" + device + "' not found\r\n", true
	}
	return "", false
}
