package mirror

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fleece/host"
	"fleece/qcow2"
	"fleece/sim"
)

// File is an image that was there before a session.
type File struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`              // bytes, virtual for qcow2
	Cluster int64  `json:"cluster,omitempty"` // bytes; 0 is the default
	Version int    `json:"version,omitempty"` // of qcow2; 0 is a plain file
	// Backing is the file that the header names, "" if it names none.
	Backing       string `json:"backing,omitempty"`
	BackingFormat string `json:"backing-format,omitempty"`
	// Filled is how much of the disk was written before, from its begin on, in bytes.
	Filled int64 `json:"filled,omitempty"`
	// Bitmaps are those that were stored, in the order in which they were made.
	Bitmaps []StoredBitmap `json:"bitmaps,omitempty"`
	// InUse names a stored bitmap that was not closed cleanly; "" if there is none.
	InUse string `json:"in-use,omitempty"`
}

// StoredBitmap is a bitmap that an image had.
type StoredBitmap struct {
	Name        string `json:"name"`
	Granularity int64  `json:"granularity"`
	Disabled    bool   `json:"disabled,omitempty"`
	InUse       bool   `json:"in-use,omitempty"` // not closed cleanly
	Count       int64  `json:"count,omitempty"`  // dirty bytes, from the begin of the disk on
}

// Make makes the file, empty, but for bitmaps that are in use; see commands.
func (f File) Make(h host.Host) error {
	inUse := f.broken()
	if f.Version > 0 && len(inUse) == 0 {
		if err := sim.CreateOverlay(h, f.Path, f.Size, f.Cluster, f.Version, f.Backing, f.BackingFormat); err != nil {
			return fmt.Errorf("make %s: %w", f.Path, err)
		}
		return nil
	}
	to, err := h.OpenFile(f.Path, host.ReadWrite|host.Create|host.Truncate, 0o600)
	if err != nil {
		return err
	}
	if f.Version == 0 {
		return errors.Join(to.Truncate(f.Size), to.Close())
	}
	_, err = qcow2.Write(to, &qcow2.Image{Size: f.Size, Bitmaps: inUse})
	return errors.Join(err, to.Close())
}

// broken are the bitmaps that were not closed cleanly.
func (f File) broken() (all []qcow2.Bitmap) {
	if f.InUse != "" {
		return []qcow2.Bitmap{{Name: f.InUse, Granularity: 64 << 10, Auto: true, InUse: true}}
	}
	for _, b := range slices.Backward(f.Bitmaps) { // the directory's first is shown last
		if b.InUse {
			all = append(all, qcow2.Bitmap{Name: b.Name, Granularity: b.Granularity, Auto: true, InUse: true})
		}
	}
	return all
}

// commands are what an earlier machine is told, so that the file has its content and
// its bitmaps.
func (f File) commands() (all []string) {
	if f.Version == 0 || f.Filled == 0 && len(f.Bitmaps) == 0 || len(f.broken()) > 0 {
		return nil
	}
	all = append(all, fmt.Sprintf(`blockdev-add {"driver": "qcow2", "node-name": "was", "backing": null, "file": {"driver": "file", "filename": %q}}`, f.Path))
	if f.Filled > 0 {
		all = append(all, fmt.Sprintf(`qemu-io was "write -P 1 0 %d"`, f.Filled))
	}
	for _, b := range f.Bitmaps {
		all = append(all, fmt.Sprintf(`block-dirty-bitmap-add {"node": "was", "name": %q, "granularity": %d, "persistent": true}`, b.Name, b.Granularity))
		if b.Count > 0 { // the others do not record yet, or no more
			all = append(all, fmt.Sprintf(`qemu-io was "write -P 1 0 %d"`, min(b.Count, f.Size)))
		}
		all = append(all, fmt.Sprintf(`block-dirty-bitmap-disable {"node": "was", "name": %q}`, b.Name))
	}
	for _, b := range f.Bitmaps {
		if !b.Disabled {
			all = append(all, fmt.Sprintf(`block-dirty-bitmap-enable {"node": "was", "name": %q}`, b.Name))
		}
	}
	return append(all, `blockdev-del {"node-name": "was"}`)
}

// filesMark begins the part of the first note that tells of files.
const filesMark = " files: "

// FilesNote is that part. Without it the files follow from the messages.
func FilesNote(files []File) string {
	text, err := json.Marshal(files)
	if err != nil {
		return ""
	}
	return filesMark + string(text)
}

// cutFiles takes the files out of a note.
func cutFiles(note string) (rest string, files []File, err error) {
	rest, text, ok := strings.Cut(note, filesMark)
	if !ok {
		return note, nil, nil
	}
	if err := json.Unmarshal([]byte(text), &files); err != nil {
		return rest, nil, fmt.Errorf("the note's list of files: %w", err)
	}
	return rest, files, nil
}
