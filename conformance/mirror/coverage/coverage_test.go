package coverage

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table anew; reasons stay")

// catalogue is every error that recordings have.
const catalogue = "../../../fixtures/qemu-7.2/error-catalogue.json"

// expected are the classes of the catalogue, and the success of each of its commands.
func expected(t *testing.T) [][2]string {
	text, err := os.ReadFile(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Command, Desc string }
	if err := json.Unmarshal(text, &rows); err != nil || len(rows) == 0 {
		t.Fatal("no rows: ", err)
	}
	var all [][2]string
	for _, r := range rows {
		all = append(all, [2]string{r.Command, cut(Generalise(r.Desc))})
		if r.Command != Raw && r.Command != "nosuch" {
			all = append(all, [2]string{r.Command, ""})
		}
	}
	slices.SortFunc(all, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

func TestTheTableHasExactlyTheErrorsOfTheCatalogue_AndTheSuccessOfTheirCommands(t *testing.T) {
	want := expected(t)
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[[2]string]string{}
	var have [][2]string
	for _, k := range c.Classes() {
		have = append(have, [2]string{k.Command, k.Text})
		reasons[have[len(have)-1]] = k.Reason
	}
	if *update {
		write(t, want, reasons)
		return
	}
	for _, k := range want {
		if !slices.Contains(have, k) {
			t.Errorf("%s: no row for %q; go test -update adds it", k[0], k[1])
		}
	}
	for _, k := range have {
		if !slices.Contains(want, k) {
			t.Errorf("%s: %q is in no recording", k[0], k[1])
		}
	}
}

func write(t *testing.T, want [][2]string, reasons map[[2]string]string) {
	var b strings.Builder
	b.WriteString("# command\terror, with names and numbers taken out; nothing: success\twhy the generator does not bring it about\n")
	for _, k := range want {
		b.WriteString(k[0] + "\t" + k[1] + "\t" + reasons[k] + "\n")
	}
	if err := os.WriteFile("classes.tsv", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestATextIsOfItsClassWhateverTheNames(t *testing.T) {
	for _, c := range [][2]string{
		{"Can't make bitmap 'b' persistent in 'huge': Too much", "Can't make bitmap * persistent in *: Too much"},
		{"Bitmap already exists: c1", "Bitmap already exists: *"},
		{"Node #block114 is not owned by the monitor", "Node * is not owned by the monitor"},
		{"Node 'd1' is busy: node is used as backing hd of 's2'", "Node * is busy: node is used as backing hd of *"},
		{"description 'dddd", "description *"},
		{"Failed to get shared \"write\" lock", "Failed to get shared * lock"},
		{"Can't resume a job that was not paused", "Can't resume a job that was not paused"},
	} {
		if got := Generalise(c[0]); got != c[1] {
			t.Errorf("%q: %q, want %q", c[0], got, c[1])
		}
	}
}
