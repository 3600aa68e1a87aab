package mirror

import (
	"encoding/json"
	"fmt"
	"strings"
)

// File is an image that was there before a session.
type File struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`              // bytes, virtual for qcow2
	Cluster int64  `json:"cluster,omitempty"` // bytes; 0 is the default
	Version int    `json:"version,omitempty"` // of qcow2; 0 is a plain file
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
