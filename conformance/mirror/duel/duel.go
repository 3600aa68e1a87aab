package duel

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"fleece/conformance/mirror/walk"
	"fleece/host/oshost"
	"fleece/qmp"
	"fleece/real"
	"fleece/rt/realrt"
)

// Duel holds the simulator against one QEMU binary.
type Duel struct {
	hyper  *real.Hypervisor
	schema *qmp.Schema
	real   realSide
	temp   string // directory of what is here
	dir    string // of images
}

// SessionSteps is how many steps a session draws; a few queries and quit follow.
const SessionSteps = 400

// New starts what runs QEMUs; Close ends it. One duel runs one session at a time.
func New(binary, tempDir string) (*Duel, error) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		return nil, err
	}
	d := &Duel{schema: schema}
	if d.temp, err = os.MkdirTemp(tempDir, "fleece-mirror-"); err != nil {
		return nil, err
	}
	bios := filepath.Join(d.temp, "bios")
	if err := os.WriteFile(bios, haltingBIOS(), 0o600); err != nil {
		return nil, err
	}
	d.hyper, err = real.NewHypervisor(real.Options{Binary: binary, TempDir: tempDir, ExtraArgs: []string{"-bios", bios}})
	if err != nil {
		_ = os.RemoveAll(d.temp)
		return nil, err
	}
	d.dir = filepath.Join(d.temp, "images")
	d.real = realSide{d.hyper, oshost.New(realrt.NewWorld().NewProcess("mirror"), oshost.Options{})}
	return d, nil
}

// Close ends every QEMU and removes the images.
func (d *Duel) Close() error { return errors.Join(d.hyper.Close(), os.RemoveAll(d.temp)) }

// haltingBIOS is firmware that stops the only CPU for good: a real one would probe
// the disks and reset the machine whenever the guest runs.
func haltingBIOS() []byte {
	const size, reset = 64 << 10, 16 // bytes; the CPU begins 16 bytes before the end
	bios := bytes.Repeat([]byte{0xf4}, size)
	copy(bios[size-reset:], []byte{0xfa, 0xf4, 0xeb, 0xfd}) // cli; hlt; jmp to hlt
	return bios
}

// Session is what came of one seed.
type Session struct {
	Seed       uint64
	Steps      int
	Difference *Difference
	Greeting   qmp.Value
	// Turns are the real QEMU's.
	Turns []Turn
	Setup walk.Setup
}

// Session runs the session of a seed, of n steps at most.
func (d *Duel) Session(seed uint64, n int) Session {
	setup, model := model(seed, n, d.dir, d.schema)
	return d.against(seed, setup, model)
}

// model is the simulator's side of a session of n drawn steps, with the images in dir.
func model(seed uint64, n int, dir string, schema *qmp.Schema) (walk.Setup, Run) {
	dice := walk.NewDice(seed)
	setup := walk.NewSetup(dice, dir)
	w := walk.New(dice, setup)
	opening := 0
	return setup, simulate(setup, schema, func(i int, look func() walk.View) (walk.Step, bool) {
		if s, ok := w.Opening(i); ok {
			opening = i + 1
			return s, true
		}
		if i -= opening; i < n {
			return w.Next(look()), true
		}
		return w.Closing(i - n)
	})
}

// Repeat runs given steps with the setup of a seed.
func (d *Duel) Repeat(seed uint64, steps []walk.Step) Session {
	setup := walk.NewSetup(walk.NewDice(seed), d.dir)
	return d.against(seed, setup, simulate(setup, d.schema, fixed(steps)))
}

func (d *Duel) against(seed uint64, setup walk.Setup, model Run) Session {
	actual := d.real.run(setup, model)
	return Session{Seed: seed, Steps: len(actual.Turns), Difference: compare(actual, model), Greeting: actual.Greeting, Turns: actual.Turns, Setup: setup}
}

// Shrink finds the shortest session of that seed that it can which still differs, and
// runs it once more.
func (d *Duel) Shrink(s Session) Session {
	var steps []walk.Step
	for _, t := range s.Turns {
		steps = append(steps, t.Step)
	}
	if at := s.Difference.Step; at >= 0 {
		steps = steps[:at+1]
	}
	if last := steps[len(steps)-1]; last.Command.Name != "quit" {
		steps = append(steps, walk.Quit())
	}
	best := s
	shrink(steps, func(shorter []walk.Step) bool {
		if again := d.Repeat(s.Seed, shorter); again.Difference != nil && again.alike(s) {
			best = again
			return true
		}
		return false
	})
	return best
}

// howEnded tells a QEMU that went from one that does not answer.
func howEnded(trouble []string) string {
	text := strings.Join(trouble, " ")
	switch {
	case strings.Contains(text, "within"):
		return ", silent"
	case text != "":
		return ", gone"
	}
	return ""
}

// alike reports whether two sessions differ in the same kind of place: in the answers to
// one command, in a file, or because a side could not go on.
func (s Session) alike(o Session) bool { return s.place() == o.place() }

func (s Session) place() string {
	switch at := s.Difference.Step; {
	case s.Difference.What == sessionEnds:
		return sessionEnds + howEnded(s.Difference.Real) + howEnded(s.Difference.Simulated)
	case at < 0:
		return "file"
	default:
		return s.Turns[at].Step.Command.Name
	}
}
