package lint

import (
	"strings"
	"testing"
)

// world lists the packages whose code runs in a world, with what is below them.
var world = []string{
	"driver", "sim", "nbd", "qmp", "qmpfake", "qcow2", "machine", "virt", "host",
	"conformance/specs", "conformance/oracle",
}

// exception is a package (with what is below it) or a file that a rule does not
// hold for, with the reason.
type exception struct {
	path string // "qmp/qmpnet", or a file "qmp/x.go"
	why  string
}

// outside lists what lies in a directory of world but never runs in a simulated one.
var outside = []exception{
	{"host/oshost", "it is the real file system"},
	{"host/hosttest", "a test kit: its tasks are those of go test"},
	{"qmp/goqemu", "it adapts a library that is made of goroutines and channels"},
	{"nbd/nbdnet", "it is real sockets"},
	{"nbd/nbdtest", "a test kit: its tasks are those of go test"},
	{"qmp/qmpnet", "it is real sockets"},
	{"qmpfake/live", "it is real sockets, real files and the wall clock"},
	{"qmpfake/socket", "it is real sockets and the wall clock"},
	{"qmp/schematrim", "a development tool that makes a file of package qmp"},
}

// excused lists single uses of something banned in code that does run in a world.
var excused = []struct{ file, use, why string }{
	{"host/memhost/view.go", "os.LinkError", "an error type only: rename fails as it does in package os"},
	{"host/memhost/view.go", "os.Op", "a field of os.LinkError"},
	{"host/memhost/view.go", "os.Old", "a field of os.LinkError"},
	{"host/memhost/view.go", "os.New", "a field of os.LinkError"},
	{"host/memhost/view.go", "os.Err", "a field of os.LinkError"},
	{"sim/nbdtls.go", "net.Addr", "a type in the interface that package tls wants; none is ever made"},
	{"qmp/value.go", "unsafe.Pointer", packed},
	{"qmp/value.go", "unsafe.Slice", packed},
	{"qmp/value.go", "unsafe.SliceData", packed},
	{"qmp/value.go", "unsafe.String", packed},
	{"qmp/value.go", "unsafe.StringData", packed},
}

const packed = "a value is three words on the hottest path; no address is compared, hashed or printed"

// inWorld reports whether a package runs in a world.
func inWorld(path string) bool {
	for _, o := range outside {
		if !strings.HasSuffix(o.path, ".go") && under(path, o.path) {
			return false
		}
	}
	for _, w := range world {
		if under(path, w) {
			return true
		}
	}
	return false
}

// fileOutside reports whether a file of a package that runs in a world does not.
func fileOutside(name string) bool {
	for _, o := range outside {
		if strings.HasSuffix(o.path, ".go") && name == o.path {
			return true
		}
	}
	return false
}

func TestAnExceptionThatNothingNeedsIsTakenOut(t *testing.T) {
	var found []finding
	for _, p := range tree(t) {
		found = append(found, bans(p)...)
	}
	for _, problem := range unneeded(found) {
		t.Error(problem)
	}
}

// unneeded are the rows of outside and excused that no broken ban needs.
func unneeded(found []finding) []string {
	uses := make(map[string]bool)
	needed := make(map[string]bool)
	for _, f := range found {
		file := fromRoot(f.pos.Filename)
		use, _, _ := strings.Cut(f.text, ": ")
		uses[file+" "+use] = true
		for _, o := range outside {
			if file == o.path || strings.HasPrefix(file, o.path+"/") {
				needed[o.path] = true
			}
		}
	}
	var problems []string
	for _, o := range outside {
		if !needed[o.path] {
			problems = append(problems, o.path+" breaks no ban: take it out of the list of what runs outside")
		}
	}
	for _, x := range excused {
		if !uses[x.file+" "+x.use] {
			problems = append(problems, x.file+" does not use "+x.use+": take the row out")
		}
	}
	return problems
}

func TestUnneededExceptionsAreFound(t *testing.T) {
	if got, want := len(unneeded(nil)), len(outside)+len(excused); got != want {
		t.Errorf("%d of %d rows are found", got, want)
	}
}

func TestWhatRunsInAWorldIsToldByPackageAndFile(t *testing.T) {
	for path, want := range map[string]bool{
		"driver": true, "driver/chktree": true, "host/memhost": true, "conformance/specs": true,
		"host/oshost": false, "qmp/qmpnet": false, "conformance": false, "cmd/fleece": false, "rt/simrt": false, "simulation": false,
	} {
		if got := inWorld(module + "/" + path); got != want {
			t.Errorf("%s runs in a world: %v", path, got)
		}
	}
}
