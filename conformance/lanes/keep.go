package lanes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fleece/conformance"
	"fleece/host/memhost"
	"fleece/qcow2"
)

// keepTo is the directory for the files of a run, or "" if they are not kept. Of
// the schedules of a spec the plain one is kept, and one that failed.
func (c Config) keepTo(run conformance.RunSpec, lane string, failed bool) string {
	name := run.Spec
	switch {
	case failed && c.KeepFailed != "":
		return filepath.Join(c.KeepFailed, lane, name)
	case c.KeepImages == "":
		return ""
	case run.Schedule == 0 && run.Trace == "":
		return filepath.Join(c.KeepImages, lane, name)
	case failed:
		return filepath.Join(c.KeepImages, lane, name+"-failed")
	}
	return ""
}

// keepMemory writes the files of a memory host to a directory, holes as holes.
// What a run before left there is replaced.
func keepMemory(k *memhost.Kernel, to string) error {
	if err := renew(to); err != nil {
		return err
	}
	return k.Walk(runDir, func(name string, c memhost.Content) error {
		file := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return keepFile(file, c)
	})
}

func keepFile(name string, c memhost.Content) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	err = f.Truncate(c.Size())
	if err == nil {
		err = c.Data(func(off int64, p []byte) error {
			_, err := f.WriteAt(p, off)
			return err
		})
	}
	if err == nil {
		err = relocate(f, runDir)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// Where a qcow2 header tells the name of the backing file.
const (
	qcow2Magic        = "QFI\xfb"
	backingNameOffset = 8
	backingNameLength = 16
	headerStart       = 20
)

// relocate makes the names of a qcow2 image's backing file and data file beneath dir
// relative ones, so that the image opens where it is kept: with a data file, for whoever
// works in that directory.
func relocate(f *os.File, dir string) error {
	var header [headerStart]byte
	if n, _ := f.ReadAt(header[:], 0); n < headerStart || string(header[:4]) != qcow2Magic {
		return nil
	}
	if err := relocateData(f, dir); err != nil {
		return err
	}
	at := int64(binary.BigEndian.Uint64(header[backingNameOffset:]))
	length := binary.BigEndian.Uint32(header[backingNameLength:])
	if at == 0 || length > qcow2.BackingFileBytesMax {
		return nil
	}
	name := make([]byte, length)
	if _, err := f.ReadAt(name, at); err != nil {
		return nil // a damaged image is kept as it is
	}
	relative, ok := strings.CutPrefix(string(name), dir+"/")
	if !ok {
		return nil
	}
	clear(name)
	copy(name, relative)
	if _, err := f.WriteAt(name, at); err != nil {
		return err
	}
	_, err := f.WriteAt(binary.BigEndian.AppendUint32(nil, uint32(len(relative))), backingNameLength)
	return err
}

// keepDir copies the regular files beneath a directory of this machine, which the
// images know by another name. Copying with holes is cp's work.
func keepDir(dir, named, to string) error {
	if err := renew(to); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		file := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if out, err := exec.Command("cp", "--sparse=always", "--", path, file).CombinedOutput(); err != nil {
			return fmt.Errorf("keep %s: %w: %s", path, err, out)
		}
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(relocate(f, named), f.Close())
	})
}

// renew makes an empty directory in the place of what was there.
func renew(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}

// kept notes in an outcome that files could not be kept: who asked for them must
// not take what is there for the whole.
func kept(out *conformance.Outcome, err error) {
	if err != nil && out.Failure == nil {
		out.Failure = &conformance.Failure{Kind: "harness", Message: "keep images: " + err.Error()}
	}
}
