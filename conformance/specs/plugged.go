package specs

import (
	"strings"

	"fleece/conformance"
)

// pluggedSpecs are bodies of other specs, with domains whose disks are plugged once they
// run: what was proved of disks that were there from the start holds for these too.
func pluggedSpecs(of []conformance.Spec) []conformance.Spec {
	var specs []conformance.Spec
	for _, id := range []string{
		"pull.every-shape", "pull.scratch-must-be-there", "pull.rounds-over-tls", "pull.rounds-over-tls-by-default",
		"pull.the-domain-dies",
		"push.every-shape", "push.target-must-be-there", "push.the-domain-dies",
		"datafile.pull-every-shape", "datafile.scratch-must-be-there", "datafile.the-domain-dies",
		"datafile.push-every-shape", "datafile.target-must-be-there", "datafile.push-the-domain-dies",
	} {
		for _, s := range of {
			if s.ID == id {
				specs = append(specs, plugged(s))
			}
		}
	}
	return specs
}

// plugged is a spec whose domains have disks that were plugged.
func plugged(s conformance.Spec) conformance.Spec {
	body := s.Body
	s.ID = "plugged." + strings.Replace(s.ID, ".", "-", 1)
	s.Title = "of disks that were plugged: " + s.Title
	s.Body = func(t *conformance.T) {
		t.PlugDisks()
		body(t)
	}
	return s
}
