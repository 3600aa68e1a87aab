package driver

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fleece/driver/domaindef"
	"fleece/driver/state"
	"fleece/qmp"
	"fleece/virt"
)

// chainOf are images by the numbers of their nodes.
func chainOf(nodes ...int) []domaindef.Layer {
	var layers []domaindef.Layer
	for _, n := range nodes {
		layers = append(layers, domaindef.Layer{Index: n})
	}
	return layers
}

func TestABlockJobLeavesTheChainThatItsKindLeaves(t *testing.T) {
	for _, c := range []struct {
		name string
		job  state.BlockJob
		want []int
	}{
		{"pull of all", state.BlockJob{Kind: state.BlockPull, Top: 4}, []int{4}},
		{"pull above an image", state.BlockJob{Kind: state.BlockPull, Top: 4, Base: 2}, []int{4, 2, 1}},
		{"commit in the middle", state.BlockJob{Kind: state.BlockCommit, Top: 3, Base: 2}, []int{4, 2, 1}},
		{"commit of the active image", state.BlockJob{Kind: state.BlockActiveCommit, Top: 4, Base: 1}, []int{1}},
		{"copy", state.BlockJob{Kind: state.BlockCopy, Top: 4, Node: 9}, []int{9}},
		{"shallow copy", state.BlockJob{Kind: state.BlockCopy, Top: 4, Node: 9, Shallow: true}, []int{9, 3, 2, 1}},
	} {
		j := &blockJob{BlockJob: &c.job}
		after := j.layersAfter(chainOf(4, 3, 2, 1))
		if diff := cmp.Diff(chainOf(c.want...), after); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if again := j.layersAfter(after); len(j.goneAfter(after)) != 0 || !cmp.Equal(after, again) {
			t.Errorf("%s: done again it gives %v", c.name, again)
		}
	}
}

func TestTheInformationAboutAJobNeverSaysThatItIsDone(t *testing.T) {
	for _, c := range []struct{ in, want [2]int64 }{
		{[2]int64{3, 9}, [2]int64{3, 9}}, {[2]int64{9, 9}, [2]int64{8, 9}}, {[2]int64{0, 0}, [2]int64{0, 1}},
	} {
		got := blockJobInfo(&qmp.BlockJob{Offset: c.in[0], Len: c.in[1], Speed: mib + 1}, virt.DOMAIN_BLOCK_JOB_TYPE_PULL, false)
		if got.Cur != uint64(c.want[0]) || got.End != uint64(c.want[1]) || got.Bandwidth != 2 {
			t.Errorf("%v became %+v", c.in, got)
		}
	}
	if got := blockJobInfo(&qmp.BlockJob{Offset: 9, Len: 9, Ready: true, Speed: 5}, virt.DOMAIN_BLOCK_JOB_TYPE_COPY, true); got.Cur != 9 || got.Bandwidth != 5 {
		t.Errorf("a job that is ready became %+v", got)
	}
}
