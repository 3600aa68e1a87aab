package mirror

import (
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	"fleece/qmp"
)

// sizeUnknown is the size of images whose session does not tell it: that of most
// recorded disks.
const sizeUnknown = 16 << 20

// images are the files that the session found, as far as its messages tell: what it
// opened without making it, with the sizes that its queries show first.
func (r *Recording) images() []File {
	if r.files != nil {
		return slices.Clone(r.files)
	}
	s := &survey{length: sizeUnknown, shown: map[string]File{}, made: map[string]bool{}, empty: map[string]bool{}, missing: map[string]bool{}, files: map[string]string{}, full: map[string]bool{}, bitmaps: map[string]bool{}, opening: map[string]bool{}, formatted: map[string]bool{}}
	for _, v := range r.spec.Nodes {
		s.opened(v, "")
	}
	for i := range r.exchanges {
		s.exchange(&r.exchanges[i])
	}
	sort.Strings(s.order)
	var all []File
	for _, p := range s.order {
		if s.made[p] || s.missing[p] {
			continue
		}
		i, ok := s.shown[p]
		switch {
		case s.empty[p]:
			i = File{Path: p}
		case !ok:
			i = File{Path: p, Size: s.length, Version: 3}
		case i.Size == 0:
			i.Size = s.length
		}
		all = append(all, i)
	}
	return all
}

// survey collects what a session tells of files.
type survey struct {
	order   []string // paths, as they come up
	shown   map[string]File
	made    map[string]bool // by blockdev-create of driver file, or by a snapshot
	empty   map[string]bool // formatted in the session
	missing map[string]bool
	files   map[string]string // path of a storage node, by its name
	full    map[string]bool   // jobs that copy a whole disk
	bitmaps map[string]bool   // names of those that the session added
	rebased bool              // a job may have changed what images name as their backing file
	// formatted are the files below a format that was opened.
	formatted map[string]bool
	opening   map[string]bool // files about whose bitmaps a first query told
	written   bool            // something may have changed images
	// length is that of the first disk that was copied whole: the best guess for
	// images about which nothing is said.
	length  int64
	guessed bool
}

func (s *survey) path(p string) {
	if !path.IsAbs(p) || strings.HasSuffix(p, "/") || slices.Contains(recordedDirs(), p) || strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/dev/") {
		return
	}
	for _, o := range s.order {
		if o == p {
			return
		}
	}
	s.order = append(s.order, p)
}

// opened notes the files of a node's options.
func (s *survey) opened(v qmp.Value, format string) {
	if d := v.Get("driver").S(); d != "" && d != "file" {
		format = d
	}
	if p := v.Get("filename").S(); p != "" {
		s.path(p)
		if n := v.Get("node-name").S(); n != "" {
			s.files[n] = p
		}
		s.formatted[p] = s.formatted[p] || format == "qcow2" && v.Get("driver").S() == "file"
		if _, ok := s.shown[p]; !ok && format == "raw" {
			s.shown[p] = File{Path: p}
		}
	}
	if p := s.files[v.Get("file").S()]; p != "" && format == "qcow2" {
		s.formatted[p] = true
	}
	for _, role := range []string{"file", "backing", "image", "target"} {
		if child := v.Get(role); child.Get("driver").Present() {
			s.opened(child, format)
		}
	}
}

func (s *survey) exchange(e *exchange) {
	args := e.command.Get("arguments")
	failed := ""
	for _, a := range e.answers {
		if d := a.Get("error").Get("desc").S(); d != "" {
			failed = d
		}
	}
	switch e.command.Get("execute").S() {
	case "blockdev-add":
		before := len(s.order)
		if failed == "" || strings.HasSuffix(failed, "No such file or directory") {
			s.opened(args, "")
		} else {
			s.refused(args)
		}
		if strings.HasSuffix(failed, "No such file or directory") {
			for _, p := range s.order[before:] {
				s.missing[p] = true
			}
		}
	case "block-dirty-bitmap-add":
		s.bitmaps[args.Get("name").S()] = true
	case "blockdev-backup":
		s.written = true
		s.job(args)
	case "transaction":
		s.written = true
		for _, a := range args.Get("actions").Items() {
			s.job(a.Get("data"))
			if name := a.Get("data").Get("name").S(); a.Get("type").S() == "block-dirty-bitmap-add" {
				s.bitmaps[name] = true
			}
		}
	case "blockdev-create":
		s.created(args.Get("options"))
	case "blockdev-snapshot-sync":
		p := args.Get("snapshot-file").S()
		if p == "" || failed != "" && args.Get("mode").S() == "existing" {
			break
		}
		s.path(p)
		s.made[p] = args.Get("mode").S() != "existing"
	case "blockdev-mirror":
		s.written, s.rebased = true, true
		s.job(args)
	case "block-commit", "block-stream", "change-backing-file":
		s.written, s.rebased = true, true
	case "human-monitor-command", "blockdev-reopen", "block_resize", "nbd-server-start", "cont":
		s.written = true
	}
	for _, a := range e.answers {
		s.look(a)
	}
}

// refused notes the files of a node that could not be opened, which says nothing about
// their format.
func (s *survey) refused(v qmp.Value) {
	known := maps.Clone(s.formatted)
	s.opened(v, "")
	s.formatted = known
}

// job notes a job that copies a whole disk.
func (s *survey) job(args qmp.Value) {
	if args.Get("sync").S() != "full" {
		return
	}
	id := args.Get("job-id").S()
	if id == "" {
		id = args.Get("device").S()
	}
	s.full[id] = true
}

// created notes what blockdev-create makes: a file of its own, or a format in one
// that was there and empty.
func (s *survey) created(o qmp.Value) {
	if o.Get("driver").S() == "file" {
		if p := o.Get("filename").S(); p != "" {
			s.made[p] = s.made[p] || !slices.Contains(s.order, p)
			s.path(p)
		}
		return
	}
	p := s.files[o.Get("file").S()]
	if p == "" {
		p = o.Get("file").Get("filename").S()
		s.path(p)
	}
	if _, ok := s.shown[p]; !ok && p != "" && !s.formatted[p] {
		s.empty[p] = true
	}
}

func (s *survey) known(p string) bool { _, ok := s.shown[p]; return ok }

// look walks a reply for descriptions of images; the first of each counts.
func (s *survey) look(v qmp.Value) {
	if n, ok := v.Get("len").Int64(); ok && n > 0 && s.full[v.Get("device").S()] && !s.guessed {
		s.length, s.guessed = n, true
	}
	if rest, ok := strings.CutPrefix(v.Get("error").S(), "Could not open '"); ok { // of a job
		if p, ok := strings.CutSuffix(rest, "': No such file or directory"); ok {
			s.missing[p] = true
		}
	}
	s.image(v)
	s.stored(v)
	for _, m := range v.Members() {
		s.look(m.Value)
	}
	for _, x := range v.Items() {
		s.look(x)
	}
}

// plainName is the file's own name of what may be a pseudo file name.
func plainName(p string) string {
	text, ok := strings.CutPrefix(p, "json:")
	if !ok {
		return p
	}
	v, err := qmp.Decode([]byte(text))
	if err != nil {
		return p
	}
	for v.Get("file").Get("driver").Present() {
		v = v.Get("file")
	}
	return v.Get("filename").S()
}

// image notes the description of an image, if v is one; the first of each counts.
func (s *survey) image(v qmp.Value) {
	p := plainName(v.Get("filename").S())
	if !path.IsAbs(p) || !v.Get("virtual-size").Present() || s.known(p) && s.shown[p].Size != 0 || s.made[p] || s.empty[p] {
		return
	}
	size, _ := v.Get("virtual-size").Int64() // a number, as QEMU's schema has it
	cluster, _ := v.Get("cluster-size").Int64()
	i := File{Path: p, Size: size}
	switch v.Get("format").S() {
	case "qcow2":
		i.Cluster, i.Version = cluster, 3
		if v.Get("format-specific").Get("data").Get("compat").S() == "0.10" {
			i.Version = 2
		}
		if b := v.Get("backing-filename").S(); b != "" && !s.rebased {
			i.Backing, i.BackingFormat = b, v.Get("backing-filename-format").S()
			s.path(b)
		}
	case "raw":
	default:
		return
	}
	s.shown[p] = i
}

// stored notes the bitmaps that an image had when it was opened first, if v describes a
// node with such.
func (s *survey) stored(v qmp.Value) {
	p := plainName(v.Get("image").Get("filename").S())
	if !v.Get("node-name").Present() || s.written || s.made[p] || s.empty[p] || s.opening[p] {
		return
	}
	s.image(v.Get("image"))
	i, ok := s.shown[p]
	if !ok || i.Version == 0 {
		return
	}
	s.opening[p] = true
	for _, b := range v.Get("dirty-bitmaps").Items() {
		if !b.Get("persistent").IsTrue() || s.bitmaps[b.Get("name").S()] {
			continue
		}
		g, _ := b.Get("granularity").Int64()
		count, _ := b.Get("count").Int64()
		i.Bitmaps = append(i.Bitmaps, StoredBitmap{
			Name: b.Get("name").S(), Granularity: g, Count: count,
			InUse: b.Get("inconsistent").IsTrue(), Disabled: !b.Get("recording").IsTrue(),
		})
	}
	s.shown[p] = i
}
