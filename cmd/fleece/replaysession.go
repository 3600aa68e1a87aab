package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"fleece/qmpfake/session"
)

// sessionResult is what fleece replay found about a recorded session.
type sessionResult struct {
	Machine    string              `json:"machine"`
	Seed       uint64              `json:"seed"`
	Inputs     int                 `json:"inputs"`
	Output     int                 `json:"outputBytes"`
	Complete   bool                `json:"complete"`
	Died       bool                `json:"died,omitempty"`
	Same       bool                `json:"same"`
	Difference *session.Difference `json:"difference,omitempty"`
}

// sessionFile opens the record of a session; nil if arg is something else.
func sessionFile(arg string) (*os.File, error) {
	if strings.HasPrefix(arg, "fl1:") {
		return nil, nil
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, nil // for traces, which have the better message
	}
	first, _ := bufio.NewReader(f).Peek(len(sessionBegins))
	if string(first) != sessionBegins {
		return nil, f.Close()
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// sessionBegins is how the first line of a record begins.
const sessionBegins = `{"` + session.Format + `":`

// replaySession runs a recorded session again and compares.
func replaySession(in io.Reader, out io.Writer, asJSON, lines bool) error {
	opts := session.ReplayOptions{Chooser: chooser}
	if lines && !asJSON {
		opts.Each = func(l session.Line) { printLine(out, l) }
	}
	r, err := session.Replay(in, opts)
	if err != nil {
		return fmt.Errorf("the record cannot be replayed: %w", err)
	}
	result := sessionResult{
		Machine: r.Setup.Machine.Name, Seed: r.Setup.Seed, Inputs: r.Inputs, Output: r.Output,
		Complete: r.Complete, Died: r.Died, Same: r.Difference == nil, Difference: r.Difference,
	}
	if asJSON {
		if err := printJSON(out, result); err != nil {
			return err
		}
	} else {
		result.print(out)
	}
	if !result.Same {
		return errFinding
	}
	return nil
}

func (r *sessionResult) print(out io.Writer) {
	if d := r.Difference; d != nil {
		fmt.Fprintf(out, "first difference: line %d\n  recorded: %s\n  replayed: %s\n", d.Line, orNothing(d.Recorded), orNothing(d.Replayed))
	}
	if !r.Complete && r.Same {
		fmt.Fprintln(out, "the record has no end: the server was killed")
	}
	verdict := "the same"
	if !r.Same {
		verdict = "NOT the same"
	}
	fmt.Fprintf(out, "replayed: session of %s, %d inputs, %d bytes of replies and events, %s\n", r.Machine, r.Inputs, r.Output, verdict)
}

func orNothing(line string) string {
	if line == "" {
		return "nothing"
	}
	return line
}

// printLine shows one line of a session.
func printLine(out io.Writer, l session.Line) {
	at := l.Input.At.String()
	switch {
	case l.Out != nil:
		fmt.Fprintf(out, "%s %d < %s\n", at, l.Input.Monitor, strings.TrimRight(string(l.Out), "\r\n"))
	case l.Input.Kind == session.Data:
		fmt.Fprintf(out, "%s %d > %s\n", at, l.Input.Monitor, strings.TrimRight(string(l.Input.Data), "\r\n"))
	case l.Closed:
		fmt.Fprintf(out, "%s %d closed\n", at, l.Input.Monitor)
	case l.Input.Kind == 0:
		fmt.Fprintf(out, "%s stdout %s\n", at, l.Print)
	default:
		fmt.Fprintf(out, "%s %d %s\n", at, l.Input.Monitor, l.Input.Kind)
	}
}
