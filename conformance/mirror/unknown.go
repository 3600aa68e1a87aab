package mirror

import (
	"time"

	"fleece/qmp"
	"fleece/sim"
)

// A recording without a list of files does not tell what was in the images that it found,
// nor how fast its host was. The simulator agrees with it if it does for one answer to
// these questions, the same for the whole session; which one, the session says.

// guess is such an answer.
type guess struct {
	text   string
	filled bool          // the first disk was written all over
	chunk  time.Duration // for one chunk of a copy; 0 is the simulator's own
}

// guesses are tried in this order, until one makes everything agree.
func guesses() []guess {
	return []guess{
		{"the first disk was written all over", true, 0},
		{"a chunk took 200 µs", false, 200 * time.Microsecond},
		{"the first disk was written all over, a chunk took 200 µs", true, 200 * time.Microsecond},
		{"a chunk took 5 ms", false, 5 * time.Millisecond},
		{"the first disk was written all over, a chunk took 5 ms", true, 5 * time.Millisecond},
	}
}

// replayGroup replays recordings that share a host, on stages which one of them may have
// to guess.
func replayGroup(group []*Recording, schema *qmp.Schema, g guess) []Session {
	results := make([]Session, len(group))
	err := inReplayer(func(r *replayer) {
		for i, rec := range group {
			s := stageOf(rec, i > 0)
			s.opts.Schema, s.opts.Chardevs, s.opts.CreateTime = schema, rec.chardevs, rec.createTimes()
			if g.text != "" {
				s.filled, s.opts.ChunkTime = g.filled, g.chunk
			}
			results[i] = rec.compare(r.run(rec, s), s.left)
			results[i].Guess = g.text
		}
	})
	if err != nil {
		results[0].Name, results[0].Trouble = group[0].Name, err.Error()
	}
	return results
}

// replayGuessing tries what the recordings leave open; the first try, without a guess, is
// told if none is better.
func replayGuessing(group []*Recording, schema *qmp.Schema) []Session {
	results := replayGroup(group, schema, guess{})
	if len(group) > 1 || results[0].Different() == 0 || !group[0].isOpen() {
		return results
	}
	for _, g := range guesses() {
		if again := replayGroup(group, schema, g); again[0].Different() == 0 {
			return again
		}
	}
	return results
}

// isOpen reports whether nobody knows what a recording found.
func (r *Recording) isOpen() bool {
	s := stageOf(r, false)
	return r.files == nil && len(s.acts) == 0 && s.before == nil && s.opts.ChunkTime == 0
}

// crash is what the simulator does where the real binary died or hung: the same, if the
// recording has a command that was never answered.
func (r *Recording) crash() sim.Crash {
	for i := range r.exchanges {
		if e := &r.exchanges[i]; e.command.Present() && !e.isAnswered() {
			return sim.CrashDies
		}
	}
	return sim.CrashAnswers
}

func (e *exchange) isAnswered() bool {
	for _, a := range e.answers {
		if a.Get("return").Present() || a.Get("error").Present() {
			return true
		}
	}
	return false
}
