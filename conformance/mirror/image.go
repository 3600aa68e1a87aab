package mirror

import (
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
	s := &survey{length: sizeUnknown, shown: map[string]File{}, made: map[string]bool{}, empty: map[string]bool{}, missing: map[string]bool{}, files: map[string]string{}, full: map[string]bool{}}
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
	// length is that of the first disk that was copied whole: the best guess for
	// images about which nothing is said.
	length  int64
	guessed bool
}

func (s *survey) path(p string) {
	if !path.IsAbs(p) || slices.Contains(recordedDirs(), p) || strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/dev/") {
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
		if _, ok := s.shown[p]; !ok && format == "raw" {
			s.shown[p] = File{Path: p}
		}
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
		s.opened(args, "")
		if strings.HasSuffix(failed, "No such file or directory") {
			for _, p := range s.order[before:] {
				s.missing[p] = true
			}
		}
	case "blockdev-backup", "blockdev-mirror":
		s.job(args)
	case "transaction":
		for _, a := range args.Get("actions").Items() {
			s.job(a.Get("data"))
		}
	case "blockdev-create":
		s.created(args.Get("options"))
	case "blockdev-snapshot-sync":
		if p := args.Get("snapshot-file").S(); p != "" && args.Get("mode").S() != "existing" {
			s.path(p)
			s.made[p] = true
		}
	}
	for _, a := range e.answers {
		s.look(a)
	}
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
			s.path(p)
			s.made[p] = s.made[p] || !s.known(p)
		}
		return
	}
	p := s.files[o.Get("file").S()]
	if p == "" {
		p = o.Get("file").Get("filename").S()
		s.path(p)
	}
	if _, ok := s.shown[p]; !ok && p != "" {
		s.empty[p] = true
	}
}

func (s *survey) known(p string) bool { _, ok := s.shown[p]; return ok }

// look walks a reply for descriptions of images; the first of each counts.
func (s *survey) look(v qmp.Value) {
	if n, ok := v.Get("len").Int64(); ok && n > 0 && s.full[v.Get("device").S()] && !s.guessed {
		s.length, s.guessed = n, true
	}
	if p := v.Get("filename").S(); p != "" && v.Get("virtual-size").Present() && path.IsAbs(p) && (!s.known(p) || s.shown[p].Size == 0) && !s.made[p] && !s.empty[p] {
		size, _ := v.Get("virtual-size").Int64() // a number, as QEMU's schema has it
		cluster, _ := v.Get("cluster-size").Int64()
		i := File{Path: p, Size: size}
		if v.Get("format").S() == "qcow2" {
			i.Cluster, i.Version = cluster, 3
			if v.Get("format-specific").Get("data").Get("compat").S() == "0.10" {
				i.Version = 2
			}
			s.shown[p] = i
		} else if v.Get("format").S() == "raw" {
			s.shown[p] = i
		}
	}
	for _, m := range v.Members() {
		s.look(m.Value)
	}
	for _, x := range v.Items() {
		s.look(x)
	}
}
