package conformance

import (
	"errors"

	"github.com/onsi/gomega"

	"fleece/rt"
	"fleece/virt"
)

// notedMax bounds the errors that are kept of what drivers note.
const notedMax = 256

// Witness has f hear of each error that the body compares with what it should be, in
// the task that compares. One witness at a time; for tests of the specs themselves.
func (t *T) Witness(f func(err *virt.Error)) { t.witness = f }

// compared tells the witness.
func (t *T) compared(err error) {
	var e *virt.Error
	if t.witness != nil && errors.As(err, &e) && e != nil {
		t.witness(e)
	}
}

// noting is a driver's process as the driver sees it: the harness hears of the errors
// that it only notes, since nobody has asked for anything.
type noting struct {
	rt.Process
	t *T
}

// NewLeafMutex makes the locks that the process itself makes: plain ones would be points.
func (n noting) NewLeafMutex(name string) rt.Mutex { return rt.NewLeafMutex(n.Process, name) }

// Note keeps errors of the public layer and writes the note.
func (n noting) Note(kind string, args ...any) {
	for _, a := range args {
		var e *virt.Error
		if err, is := a.(error); is && errors.As(err, &e) {
			n.t.leaf.Lock()
			if len(n.t.noted) < notedMax {
				n.t.noted = append(n.t.noted, e)
			}
			n.t.leaf.Unlock()
		}
	}
	n.Process.Note(kind, args...)
}

// ExpectNoted asserts that a driver of this run has noted an error as a row of the
// catalogue has it: code and distinctive text.
func (t *T) ExpectNoted(row string) {
	c, broken := loadCatalogue()
	t.must(broken, "read the catalogue")
	r, known := c.Row(row)
	if !known || r.Error == nil {
		t.Broken("%s is no error of the catalogue", row)
	}
	t.leaf.Lock()
	noted := append([]*virt.Error(nil), t.noted...)
	t.leaf.Unlock()
	texts := []string{}
	for _, e := range noted {
		if int(e.Code) == r.Error.Code && r.Error.Fits(e.Message) {
			t.compared(e)
			return
		}
		texts = append(texts, e.Error())
	}
	t.Expect(texts).To(gomega.ContainElement(gomega.ContainSubstring(r.Error.Text)), "%s (%s) was not noted", r.ID, r.Statement)
}
