package conformance

import (
	"bytes"
	"fmt"

	"fleece/conformance/oracle"
	"fleece/host"
	"fleece/qmp"
	"fleece/rt"
)

// Agent is the agent of a domain's guest: a process of its own behind the channel's
// socket, in every lane, since no guest of the laboratory runs one. QEMU and the driver
// are its clients. While file systems are frozen the guest's writes wait.
//
// Its faults are set before the call that meets them.
type Agent struct {
	t       *T
	path    string
	process rt.Process
	l       host.Listener
	d       *Domain // whose guest it is in

	// Protected by T.mu.
	Silent    string // a command that gets no answer
	Refuses   string // a command that is refused, with RefusalText
	Held      string // a command that is carried out when it is no longer held
	Dies      string // a command that is carried out, and the agent dies of it
	Noise     string // sent before the answer to each guest-sync-delimited
	refused   int    // times that Refuses goes on; below 0 for ever
	frozen    bool
	inFlight  int // writes of the guest
	busy      int // commands that are held
	life      int // counts deaths
	freezes   int
	thaws     int
	instants  []*oracle.Instant // from each freeze to its thaw
	serving   bool
	mountable []string // what the last freeze was asked to freeze
}

// RefusalText is what an agent says that refuses.
const RefusalText = "the disk is on fire"

// agentFileSystems is how many file systems the guest has.
const agentFileSystems = 2

// NewAgent starts an agent for a domain that is to be defined with it.
func (t *T) NewAgent() *Agent {
	a := &Agent{t: t, path: t.Path(fmt.Sprintf("agent-%d", len(t.agents)))}
	t.Keeps(a.path)
	t.agents = append(t.agents, a)
	a.Revive()
	return a
}

// Revive starts an agent that died; what was frozen still is.
func (a *Agent) Revive() {
	a.process = a.t.env.World.NewProcess("agent")
	h := a.t.env.Host(a.process)
	a.t.must(a.process.Call("listen", func() {
		if err := h.Remove(a.path); err != nil && a.serving {
			a.t.must(err, "remove the dead agent's socket")
		}
		l, err := h.Listen(host.Unix, a.path)
		a.t.must(err, "listen for the agent")
		a.l = l
	}), "start the agent")
	a.serving = true
	a.process.Go("agent", a.accept)
}

// Die kills the agent; what is frozen stays so.
func (a *Agent) Die() {
	a.Set(func() { a.life++ }) // what waits for the harness is not of the process
	a.process.Kill()
}

// xml is the channel in the domain's definition.
func (a *Agent) xml() string {
	return "<channel type='unix'><source mode='connect' path='" + a.path + "'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
}

func (a *Agent) accept() {
	for {
		c, err := a.l.Accept()
		if err != nil {
			return
		}
		a.process.Go("agent-client", func() { a.serve(c) })
	}
}

// serve answers a client's commands.
func (a *Agent) serve(c host.Stream) {
	defer closeQuietly(c)
	var in []byte
	p := make([]byte, 1<<10)
	for {
		n, err := c.Read(p)
		if err != nil {
			return
		}
		in = append(in, p[:n]...)
		for {
			line, rest, ok := bytes.Cut(in, []byte("\n"))
			if !ok {
				break
			}
			in = rest
			v, err := qmp.Decode(bytes.TrimLeft(line, "\xff"))
			if err != nil {
				continue // as qemu-ga, which waits for the next
			}
			if answer := a.answer(v); len(answer) > 0 {
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		}
	}
}

// answer carries a command out.
func (a *Agent) answer(v qmp.Value) []byte {
	name := v.Get("execute").S()
	a.t.mu.Lock()
	life := a.life
	silent, held, dies := a.Silent == name, a.Held == name, a.Dies == name
	refuses := a.Refuses == name && a.refused != 0
	if refuses && a.refused > 0 {
		a.refused--
	}
	noise := a.Noise
	a.t.mu.Unlock()
	switch {
	case silent:
		return nil
	case refuses:
		return []byte(`{"error": {"class": "GenericError", "desc": "` + RefusalText + `"}}` + "\n")
	case held:
		a.Set(func() { a.busy++ })
		a.t.Await("the agent to be let go", func() bool { return a.died(life) || !a.holds(name) })
		a.Set(func() { a.busy-- })
		if a.died(life) {
			return nil
		}
	}
	answer := a.carryOut(name, v.Get("arguments"))
	if dies {
		a.process.Kill()
	}
	if name == "guest-sync-delimited" {
		answer = append([]byte(noise), answer...)
	}
	return answer
}

// RefuseTimes has the agent refuse a command n times; n below 0 is for ever.
func (a *Agent) RefuseTimes(command string, n int) {
	a.t.mu.Lock()
	a.Refuses, a.refused = command, n
	a.t.mu.Unlock()
}

func (a *Agent) died(life int) bool {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	return a.life != life
}

func (a *Agent) holds(command string) bool {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	return a.Held == command
}

// Set changes faults while the agent runs.
func (a *Agent) Set(change func()) {
	a.t.mu.Lock()
	change()
	a.t.noteChange()
	a.t.mu.Unlock()
}

func number(n int64) []byte {
	return append(qmp.Encode(qmp.Dict(qmp.M("return", qmp.Int(n)))), '\n')
}

func (a *Agent) carryOut(name string, args qmp.Value) []byte {
	switch name {
	case "guest-sync-delimited":
		id, _ := args.Get("id").Int64()
		return append([]byte{0xff}, number(id)...)
	case "guest-fsfreeze-freeze", "guest-fsfreeze-freeze-list":
		return a.freeze(args)
	case "guest-fsfreeze-thaw":
		return a.thaw()
	}
	return []byte(`{"error": {"class": "CommandNotFound", "desc": "The command ` + name + ` has not been found"}}` + "\n")
}

// freeze waits for the writes that are under way, and holds those that come.
func (a *Agent) freeze(args qmp.Value) []byte {
	a.t.mu.Lock()
	if a.frozen { // qemu-ga allows nothing but status and thaw then
		a.t.mu.Unlock()
		return []byte(`{"error": {"class": "GenericError", "desc": "Command guest-fsfreeze-freeze has been disabled: the agent is in frozen state"}}` + "\n")
	}
	a.frozen = true
	a.freezes++
	a.mountable = nil
	n := int64(agentFileSystems)
	if list := args.Get("mountpoints").Items(); len(list) > 0 {
		n = int64(len(list))
		for _, m := range list {
			a.mountable = append(a.mountable, m.S())
		}
	}
	a.t.mu.Unlock()
	a.t.Await("the guest's writes to end", func() bool { return a.writesInFlight() == 0 })
	at := a.d.guest.begin()
	a.t.mu.Lock()
	a.instants = append(a.instants, at)
	a.t.mu.Unlock()
	return number(n)
}

func (a *Agent) writesInFlight() int {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	return a.inFlight
}

func (a *Agent) thaw() []byte {
	a.t.mu.Lock()
	was := a.frozen
	a.t.mu.Unlock()
	if !was {
		return number(0)
	}
	a.d.guest.returned(a.instants[len(a.instants)-1])
	a.t.mu.Lock()
	a.frozen = false
	a.thaws++
	a.t.noteChange()
	a.t.mu.Unlock()
	return number(agentFileSystems)
}

// Frozen reports whether the guest's file systems are frozen.
func (a *Agent) Frozen() bool {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	return a.frozen
}

// Busy reports whether the agent has a command that is held.
func (a *Agent) Busy() bool {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	return a.busy > 0
}

// Freezes counts how often they were.
func (a *Agent) Freezes() int {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	return a.freezes
}

// MountPoints is what the last freeze named; nil for all.
func (a *Agent) MountPoints() []string {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	return a.mountable
}

// AwaitThawed waits until nothing is frozen.
func (a *Agent) AwaitThawed() {
	a.t.Await("the guest to be thawed", func() bool { return !a.Frozen() })
}

// enter and leave are around each write of the guest: it waits while frozen.
func (a *Agent) enter() {
	for {
		a.AwaitThawed()
		a.t.mu.Lock()
		if !a.frozen {
			a.inFlight++
			a.t.mu.Unlock()
			return
		}
		a.t.mu.Unlock()
	}
}

func (a *Agent) leave() {
	a.t.mu.Lock()
	a.inFlight--
	a.t.noteChange()
	a.t.mu.Unlock()
}

// QuietAt says that the backup, and the checkpoint made with it, have the last instant
// at which the guest was frozen, rather than any within Begin.
func (b *Backup) QuietAt(a *Agent) {
	b.at = a.instants[len(a.instants)-1]
	if b.Spec.Checkpoint != "" {
		b.d.noteCheckpoint(b.Spec.Checkpoint, b.at)
	}
}

// QuietAt says the same of a snapshot.
func (s *Snapshot) QuietAt(a *Agent) {
	s.at = a.instants[len(a.instants)-1]
	if s.Spec.Checkpoint != "" {
		s.d.noteCheckpoint(s.Spec.Checkpoint, s.at)
	}
}

// CheckpointQuietAt is QuietAt for a checkpoint that was made alone.
func (d *Domain) CheckpointQuietAt(name string, a *Agent) {
	d.noteCheckpoint(name, a.instants[len(a.instants)-1])
}
