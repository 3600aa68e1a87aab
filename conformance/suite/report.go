package suite

import (
	"bufio"
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

// WriteReport stores results.jsonl (one result per line) and report.json (the
// one document) in an existing directory.
func WriteReport(dir string, r conformance.Report) error {
	if err := writeLines(filepath.Join(dir, ResultsFile), r.Results); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, ReportFile), append(text, '\n'), 0o644)
}

func writeLines(path string, results []conformance.Result) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			_ = f.Close()
			return fmt.Errorf("encode the result of %s: %w", r.Spec, err)
		}
	}
	if err := w.Flush(); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
