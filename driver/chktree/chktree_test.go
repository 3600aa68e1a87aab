package chktree

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fleece/driver/checkpointdef"
	"fleece/virt"
)

// tree makes checkpoints of "name<parent" words.
func tree(words string) *Tree[*checkpointdef.Checkpoint] {
	t := &Tree[*checkpointdef.Checkpoint]{}
	for _, w := range strings.Fields(words) {
		name, parent, _ := strings.Cut(w, "<")
		t.Put(&checkpointdef.Checkpoint{Name: name, Parent: parent})
	}
	return t
}

func TestList_FiltersAndKeepsParentsFirst(t *testing.T) {
	tr := tree("c<b b<a a d<a r")
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "a r b d c"},
		{Filter{Shallow: true}, "a r"},
		{Filter{Leaves: true}, "r d c"},
		{Filter{NoLeaves: true}, "a b"},
		{Filter{Leaves: true, NoLeaves: true}, ""},
		{Filter{From: "a"}, "b d c"},
		{Filter{From: "a", Shallow: true}, "b d"},
		{Filter{From: "a", Shallow: true, Leaves: true}, "d"},
		{Filter{From: "c"}, ""},
	} {
		if got := strings.Join(tr.List(c.f), " "); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.f, got, c.want)
		}
	}
}

func TestSettle_MakesTheLeafOfAChainCurrent(t *testing.T) {
	for _, c := range []struct {
		words, current string
		consistent     bool
	}{
		{"", "", true},
		{"a b<a c<b", "c", true},
		{"a b<a c<a", "", true},
		{"a b<gone", "", false},
		{"a<b b<a", "", false},
		{"a<a", "", false},
	} {
		tr := tree(c.words)
		if got := tr.Settle(); got != c.consistent || tr.Current() != c.current {
			t.Errorf("%q: consistent %v, current %q", c.words, got, tr.Current())
		}
		if len(tr.List(Filter{})) != tr.Len() {
			t.Errorf("%q: not all are reachable", c.words)
		}
	}
}

func TestCheck_RefusesWhatDoesNotFit(t *testing.T) {
	tr := tree("a b<a c<b")
	for _, c := range []struct{ name, parent, want string }{
		{"x", "x", "cannot set moment x as its own parent"},
		{"x", "gone", "parent gone for moment x not found"},
		{"a", "c", "parent c would create cycle to a"},
		{"x", "c", ""}, {"c", "a", ""}, {"c", "", ""},
	} {
		err := tr.Check(&checkpointdef.Checkpoint{Name: c.name, Parent: c.parent}, virt.FROM_DOMAIN_CHECKPOINT)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, virt.ERR_INVALID_ARG) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

func TestRemove_GivesChildrenToTheGrandparent(t *testing.T) {
	tr := tree("a b<a c<b d<b")
	tr.SetCurrent("b")
	if diff := cmp.Diff([]string{"c", "d"}, tr.Remove("b")); diff != "" {
		t.Error(diff)
	}
	if tr.Get("c").Parent != "a" || tr.Current() != "a" || tr.Remove("b") != nil {
		t.Errorf("got parent %q, current %q", tr.Get("c").Parent, tr.Current())
	}
}

func TestTree_StaysATreeWhateverIsDone(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		tr := &Tree[*checkpointdef.Checkpoint]{}
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		r.Repeat(map[string]func(*rapid.T){
			"put": func(r *rapid.T) {
				c := &checkpointdef.Checkpoint{Name: name.Draw(r, "name")}
				if rapid.Bool().Draw(r, "child") {
					c.Parent = name.Draw(r, "parent")
				}
				if tr.Check(c, virt.FROM_DOMAIN_CHECKPOINT) == nil {
					tr.Put(c)
				}
			},
			"remove": func(r *rapid.T) { tr.Remove(name.Draw(r, "name")) },
			"": func(r *rapid.T) {
				if got := len(tr.List(Filter{})); got != tr.Len() {
					r.Fatalf("%d of %d are reachable", got, tr.Len())
				}
			},
		})
	})
}
