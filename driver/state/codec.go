package state

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// header begins every stored state, with the version of the form.
const header = "fleece-state 1"

// Limits of a stored state.
const (
	BytesMax = 8 << 20
	disksMax = 1024
)

// errForm is wrapped by every error of Parse.
var errForm = errors.New("not a stored state")

// Append writes the stored form of s behind dst: lines of words, texts quoted, the
// XML as it is behind its length.
func Append(dst []byte, s *Domain) []byte {
	dst = append(dst, header...)
	dst = append(dst, "\nrun"...)
	dst = num(num(num(flag(dst, s.Transient), int64(s.RunID)), int64(s.NextNode)), int64(s.NextJob))
	if b := s.Backup; b != nil {
		dst = appendBackup(dst, b)
	}
	if s.Frozen {
		dst = append(dst, "\nfrozen"...)
	}
	if s.Current != "" {
		dst = quoted(append(dst, "\ncurrent"...), s.Current)
	}
	if p := s.Snapshot; p != nil {
		dst = appendSnapshot(dst, p)
	}
	if l := s.Leaving; l != nil {
		dst = flag(flag(quoted(append(dst, "\nleaving"...), l.Path), l.Resume), l.Complete)
	}
	for _, j := range s.BlockJobs {
		dst = appendBlockJob(dst, j)
	}
	return append(dst, "\nend\n"...)
}

func appendSnapshot(dst []byte, p *Snapshot) []byte {
	dst = append(dst, "\nsnapshot"...)
	dst = quoted(flag(num(quoted(dst, p.Name), int64(p.Phase)), p.Metadata), p.Checkpoint)
	for _, d := range p.Disks {
		dst = append(dst, "\noverlay"...)
		dst = quoted(quoted(quoted(quoted(dst, d.Name), d.Below), d.Type), d.Path)
		dst = flag(num(dst, int64(d.Node)), d.Made)
	}
	return dst
}

func appendBackup(dst []byte, b *Backup) []byte {
	dst = append(dst, "\nbackup"...)
	dst = num(num(num(dst, int64(b.ID)), int64(b.Phase)), int64(b.Result))
	dst = flag(flag(dst, b.NoMetadata), b.Reuse)
	dst = num(num(dst, b.StartedMS), b.ElapsedMS)
	dst = quoted(quoted(dst, b.Checkpoint), b.Error)
	for _, d := range b.Disks {
		dst = append(dst, "\ndisk"...)
		dst = quoted(quoted(quoted(quoted(dst, d.Name), d.Source), d.Job), d.Bitmap)
		dst = flag(flag(dst, d.Made), d.Cleaned)
		dst = num(num(num(num(dst, int64(d.Node)), int64(d.State)), d.Current), d.Total)
	}
	dst = append(dst, "\nxml"...)
	dst = num(dst, int64(len(b.XML)))
	return append(append(dst, '\n'), b.XML...)
}

func num(dst []byte, n int64) []byte { return strconv.AppendInt(append(dst, ' '), n, 10) }

func quoted(dst []byte, s string) []byte {
	dst = append(dst, ' ')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return strconv.AppendQuote(dst, s)
		}
	}
	return append(append(append(dst, '"'), s...), '"') // what AppendQuote does, quicker
}

func flag(dst []byte, on bool) []byte {
	if on {
		return append(dst, " 1"...)
	}
	return append(dst, " 0"...)
}

// Parse reads a stored state.
func Parse(text string) (*Domain, error) {
	if len(text) > BytesMax {
		return nil, fmt.Errorf("%w: %d bytes", errForm, len(text))
	}
	r := &reader{rest: text}
	r.literal(header)
	r.literal("\nrun")
	s := &Domain{Transient: r.flag(), RunID: r.count(), NextNode: r.count(), NextJob: r.count()}
	if r.next("\nbackup") {
		s.Backup = r.backup()
	}
	s.Frozen = r.next("\nfrozen")
	if r.next("\ncurrent") {
		s.Current = r.text()
	}
	if r.next("\nsnapshot") {
		s.Snapshot = r.snapshot()
	}
	if r.next("\nleaving") {
		s.Leaving = &Leaving{Path: r.text(), Resume: r.flag(), Complete: r.flag()}
	}
	for r.next("\nblockjob") {
		if s.BlockJobs = append(s.BlockJobs, r.blockJob()); len(s.BlockJobs) > disksMax {
			r.fail("too many block jobs")
		}
	}
	r.literal("\nend\n")
	if r.err == nil && r.rest != "" {
		r.fail("more than the end")
	}
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

// reader goes over the text; after a failure everything is empty.
type reader struct {
	rest string
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at %.20q", errForm, what, r.rest)
	}
	r.rest = ""
}

func (r *reader) next(s string) bool {
	rest, ok := strings.CutPrefix(r.rest, s)
	if ok {
		r.rest = rest
	}
	return ok
}

func (r *reader) literal(s string) {
	if !r.next(s) {
		r.fail("missing " + strconv.Quote(s))
	}
}

func (r *reader) number() int64 {
	r.literal(" ")
	end := strings.IndexAny(r.rest, " \n")
	if end < 0 {
		end = len(r.rest)
	}
	n, err := strconv.ParseInt(r.rest[:end], 10, 64)
	if err != nil {
		r.fail("number expected")
		return 0
	}
	r.rest = r.rest[end:]
	return n
}

// count is a number that fits an int and is not negative.
func (r *reader) count() int {
	n := r.number()
	if n < 0 || n > 1<<31-1 {
		r.fail("number out of range")
		return 0
	}
	return int(n)
}

func (r *reader) flag() bool { return r.count() == 1 }

func (r *reader) text() string {
	r.literal(" ")
	prefix, err := strconv.QuotedPrefix(r.rest)
	if err != nil {
		r.fail("text expected")
		return ""
	}
	s, err := strconv.Unquote(prefix)
	if err != nil {
		r.fail("text expected")
		return ""
	}
	r.rest = r.rest[len(prefix):]
	return s
}

func (r *reader) backup() *Backup {
	b := &Backup{ID: r.count(), Phase: Phase(r.upTo(int(Done))), Result: r.count()}
	b.NoMetadata, b.Reuse = r.flag(), r.flag()
	b.StartedMS, b.ElapsedMS = r.number(), r.number()
	b.Checkpoint, b.Error = r.text(), r.text()
	for r.next("\ndisk") {
		d := &Disk{Name: r.text(), Source: r.text(), Job: r.text(), Bitmap: r.text()}
		d.Made, d.Cleaned = r.flag(), r.flag()
		d.Node, d.State = r.count(), DiskState(r.upTo(int(DiskCancelled)))
		d.Current, d.Total = r.number(), r.number()
		if b.Disks = append(b.Disks, d); len(b.Disks) > disksMax {
			r.fail("too many disks")
		}
	}
	r.literal("\nxml")
	n := r.count()
	r.literal("\n")
	if n > len(r.rest) {
		r.fail("document is cut off")
		return nil
	}
	b.XML, r.rest = r.rest[:n], r.rest[n:]
	return b
}

func (r *reader) snapshot() *Snapshot {
	p := &Snapshot{Name: r.text(), Phase: SnapshotPhase(r.upTo(int(SnapshotReady))), Metadata: r.flag(), Checkpoint: r.text()}
	for r.next("\noverlay") {
		d := &Overlay{Name: r.text(), Below: r.text(), Type: r.text(), Path: r.text()}
		d.Node, d.Made = r.count(), r.flag()
		if p.Disks = append(p.Disks, d); len(p.Disks) > disksMax {
			r.fail("too many disks")
		}
	}
	return p
}

func (r *reader) upTo(limit int) int {
	n := r.count()
	if n > limit {
		r.fail("number out of range")
		return 0
	}
	return n
}
