package suite

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"fleece/conformance"
)

// Names of the files in a report directory.
const (
	ResultsFile = "results.jsonl"
	ReportFile  = "report.json"
)

// Stream appends results to results.jsonl as they come, one per line, so that a
// run that is interrupted keeps what it had.
type Stream struct {
	dir string
	f   *os.File
}

// OpenStream makes the directory, if it is not there, and starts results.jsonl
// afresh.
func OpenStream(dir string) (*Stream, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("report directory: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, ResultsFile))
	if err != nil {
		return nil, fmt.Errorf("report directory: %w", err)
	}
	return &Stream{dir: dir, f: f}, nil
}

// Add appends one result; it is in the file when Add returns.
func (s *Stream) Add(r conformance.Result) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the result of %s: %w", r.Spec, err)
	}
	_, err = s.f.Write(append(line, '\n'))
	return err
}

// Close ends the stream and writes report.json, the one document.
func (s *Stream) Close(r conformance.Report) error {
	if err := s.f.Close(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	return os.WriteFile(filepath.Join(s.dir, ReportFile), append(text, '\n'), 0o644)
}
