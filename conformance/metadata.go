package conformance

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"fleece/host"
)

// checkpointFile is where a driver keeps the document of a checkpoint: as libvirt
// does, in a directory of the domain's.
func (d *Domain) checkpointFile(name string) string {
	return path.Join(d.t.stateDir(), "checkpoint", d.Name, name+".xml")
}

// DamageMetadata changes the document of a checkpoint on disk, as a careless
// administrator does. The driver must be dead.
func (d *Domain) DamageMetadata(name string, change func(text string) string) {
	file := d.checkpointFile(name)
	text := change(string(d.t.ReadFile(file)))
	d.t.RemoveFile(file)
	d.t.WriteFile(file, []byte(text))
}

// LoseMetadata takes the documents of all checkpoints away and puts a file where
// their directory was. The driver must be dead.
func (d *Domain) LoseMetadata() {
	dir := path.Dir(d.checkpointFile(""))
	entries, err := d.t.host.ReadDir(dir)
	d.t.must(err, "list "+dir)
	for _, e := range entries {
		d.t.RemoveFile(path.Join(dir, e))
	}
	d.t.RemoveFile(dir)
	d.t.WriteFile(dir, []byte("no directory"))
}

// ExpectNoMetadata asserts that nothing of a checkpoint is stored any more.
func (d *Domain) ExpectNoMetadata(name string) {
	for _, suffix := range []string{"", ".new", ".del"} {
		f, err := d.t.host.OpenFile(d.checkpointFile(name)+suffix, host.ReadOnly, 0)
		if err == nil {
			closeQuietly(f)
		}
		d.t.Expect(errors.Is(err, fs.ErrNotExist)).To(beTrue(), "the file of checkpoint %s with %q is left: %v", name, suffix, err)
	}
}

// ExpectForgotten asserts that a driver keeps no file, and no directory, of the domain: one
// that has its name, whatever comes behind a dot.
func (d *Domain) ExpectForgotten() {
	t := d.t
	var left []string
	dirs := []string{t.stateDir()}
	for len(dirs) > 0 {
		entries, err := t.host.ReadDir(dirs[0])
		if err == nil {
			for _, e := range entries {
				if first, _, _ := strings.Cut(e, "."); first == d.Name {
					left = append(left, path.Join(dirs[0], e))
				}
				dirs = append(dirs, path.Join(dirs[0], e))
			}
		}
		dirs = dirs[1:]
	}
	t.Expect(left).To(beEmpty(), "files of a driver that does not know the domain any more")
}
