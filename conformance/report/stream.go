package report

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
	JUnitFile   = "junit.xml"
	HTMLFile    = "report.html"
)

// Stream appends results to results.jsonl as they come, one per line, so that a
// run that is interrupted keeps what it had.
type Stream struct {
	dir string
	f   *os.File
}

// OpenStream makes the directory, if it is not there, and starts results.jsonl
// afresh. Documents of an earlier run go, so that they are not taken for this one's.
func OpenStream(dir string) (*Stream, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("report directory: %w", err)
	}
	for _, name := range []string{ReportFile, JUnitFile, HTMLFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("report directory: %w", err)
		}
	}
	f, err := os.Create(filepath.Join(dir, ResultsFile))
	if err != nil {
		return nil, fmt.Errorf("report directory: %w", err)
	}
	return &Stream{dir: dir, f: f}, nil
}

// Add appends one result; it is durable when Add returns.
func (s *Stream) Add(r conformance.Result) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the result of %s: %w", r.Spec, err)
	}
	if _, err := s.f.Write(append(line, '\n')); err != nil {
		return err
	}
	return s.f.Sync()
}

// Close ends the stream and writes the documents.
func (s *Stream) Close(r conformance.Report) error {
	if err := s.f.Close(); err != nil {
		return err
	}
	for _, doc := range []struct {
		name string
		text func(conformance.Report) ([]byte, error)
	}{{ReportFile, JSON}, {JUnitFile, JUnit}, {HTMLFile, HTML}} {
		text, err := doc.text(r)
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, doc.name), text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("report directory: %w", err)
		}
	}
	return nil
}

// JSON is the report as one document.
func JSON(r conformance.Report) ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	return append(text, '\n'), nil
}
