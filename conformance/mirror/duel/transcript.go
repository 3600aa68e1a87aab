package duel

import (
	"strings"
	"time"

	"fleece/conformance/mirror"
	"fleece/conformance/mirror/walk"
	"fleece/qmp"
)

// turnTime is the recorded time between two steps: enough for what a step set off.
const turnTime = 2 * time.Second

// recordedDir is the directory of images in recordings.
const recordedDir = "/var/lib/fleece"

// Transcript is a session of the real QEMU as a recording that fleece mirror
// --transcripts takes: its files are told in a note.
func (s Session) Transcript() []qmp.Line {
	var files []mirror.File
	for _, f := range s.Setup.Files {
		files = append(files, fileAt(recordedDir, f))
	}
	lines := []qmp.Line{{
		Dir: qmp.FromServer, Message: s.Greeting, At: turnTime / 2,
		Note: "argv: " + s.moved(arguments(s.Setup)) + mirror.FilesNote(files),
	}}
	for i, t := range s.Turns {
		at := time.Duration(i+1) * turnTime
		c := qmp.Line{Dir: qmp.FromClient, At: at, Raw: s.moved(t.Step.Raw)}
		if t.Step.Raw == "" {
			c.Message = s.movedValue(t.Step.Message(id(i)))
		}
		lines = append(lines, c)
		for _, a := range t.Answers {
			lines = append(lines, qmp.Line{Dir: qmp.FromServer, Message: s.movedValue(a), At: at})
		}
	}
	return lines
}

// fileAt is a file of a session in a directory.
func fileAt(dir string, f walk.File) mirror.File {
	return mirror.File{Path: dir + "/" + f.Name, Size: f.Size, Cluster: f.Cluster, Version: f.Version, InUse: f.InUse}
}

// moved puts the images into the directory of recordings.
func (s Session) moved(text string) string { return strings.ReplaceAll(text, s.Setup.Dir, recordedDir) }

func (s Session) movedValue(v qmp.Value) qmp.Value {
	text := string(qmp.Encode(v))
	if !strings.Contains(text, s.Setup.Dir) {
		return v
	}
	moved, err := qmp.Decode([]byte(s.moved(text)))
	if err != nil {
		return v
	}
	return moved
}

// arguments is the part of QEMU's command line that a recording needs.
func arguments(s walk.Setup) string {
	text := "-S"
	for _, n := range s.Spec.Nodes {
		text += " -blockdev " + string(qmp.Encode(n))
	}
	for _, d := range s.Spec.Devices {
		text += " -device " + d.Driver + ",drive=" + d.Drive + ",id=" + d.ID
	}
	return text
}
