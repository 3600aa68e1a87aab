package mirror

import (
	"encoding/json"
	"errors"
	"fmt"
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
	// InUse names a stored bitmap that was not closed cleanly; "" if there is none.
	InUse string `json:"in-use,omitempty"`
}

// Make makes the file, empty.
func (f File) Make(h host.Host) error {
	if f.Version > 0 && f.InUse == "" {
		if err := sim.CreateImage(h, f.Path, f.Size, f.Cluster, f.Version); err != nil {
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
	_, err = qcow2.Write(to, &qcow2.Image{Size: f.Size, Bitmaps: []qcow2.Bitmap{{Name: f.InUse, Granularity: 64 << 10, Auto: true, InUse: true}}})
	return errors.Join(err, to.Close())
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
