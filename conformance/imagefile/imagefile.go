// Package imagefile opens disk images of the operating system's files, qcow2 and raw,
// with the images that they are over, for the oracle's eyes.
//
// It is not for images of a run, which are read through the host seam.
//
// The property it keeps: it only reads, and what it opened is closed by Close.
package imagefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fleece/conformance/oracle"
	"fleece/qcow2"
)

// ChainMax bounds the images of one chain, the top included.
const ChainMax = 200

// Image is an open image with those below it.
type Image struct {
	oracle.Image
	files []*os.File
}

// Open opens the image at a path. format is "qcow2", "raw", or "" for what the file
// looks like. Names of backing files that are not absolute are relative to the
// directory of the image that has them; one without a format is an error, since a
// guest could have written what it looks like.
func Open(path, format string) (*Image, error) {
	m := &Image{}
	if err := m.add(path, format, true); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Close closes all files.
func (m *Image) Close() error {
	var all error
	for _, f := range m.files {
		all = errors.Join(all, f.Close())
	}
	m.files = nil
	return all
}

// add opens one image, and what is below it.
func (m *Image) add(path, format string, top bool) error {
	if len(m.files) == ChainMax {
		return fmt.Errorf("%s: a chain of more than %d images", path, ChainMax)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	m.files = append(m.files, f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if format == "" && top {
		format = guess(f)
	}
	var image oracle.Image
	var header *qcow2.Header
	switch format {
	case "raw":
		image = rawFile{f, info.Size()}
	case "qcow2":
		r, err := qcow2.Open(f, info.Size(), qcow2.Options{})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if r.Header().ExternalData() {
			if err := m.addData(r, f, info.Size(), path); err != nil {
				return err
			}
		}
		image, header = qcowFile{r}, r.Header()
	default:
		return fmt.Errorf("%s: format %q: there are qcow2 and raw", path, format)
	}
	m.put(image)
	if header == nil || header.BackingFile == "" {
		return nil
	}
	below := header.BackingFile
	if !filepath.IsAbs(below) {
		below = filepath.Join(filepath.Dir(path), below)
	}
	if header.BackingFormat == "" {
		return fmt.Errorf("%s: the image names no format of its backing file %s: name it with qemu-img rebase -u", path, below)
	}
	return m.add(below, header.BackingFormat, false)
}

// addData opens the data file of an image, whose name is for the working directory, as
// QEMU has it.
func (m *Image) addData(r *qcow2.Reader, f *os.File, size int64, path string) error {
	data, err := os.Open(r.Header().DataFile)
	if err != nil {
		return fmt.Errorf("%s: its data file: %w", path, err)
	}
	m.files = append(m.files, data)
	return r.Reset(f, size, qcow2.Options{Data: data})
}

// put lays what is there over an image.
func (m *Image) put(below oracle.Image) {
	if m.Image == nil {
		m.Image = below
		return
	}
	m.Image = oracle.Overlay(m.Image, below)
}

// guess is the format that a file looks like.
func guess(f *os.File) string {
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err == nil && string(magic[:]) == "QFI\xfb" {
		return "qcow2"
	}
	return "raw"
}

// qcowFile is one qcow2 image.
type qcowFile struct{ *qcow2.Reader }

// Next tells data from zero clusters and from what is not in the image.
func (q qcowFile) Next(off int64) (int64, oracle.Kind, error) {
	length, kind, err := q.Reader.Next(off)
	switch kind {
	case qcow2.Data:
		return length, oracle.Data, err
	case qcow2.Zero:
		return length, oracle.Zero, err
	}
	return length, oracle.Unallocated, err
}

// rawFile is a raw image, whose holes the file system knows.
type rawFile struct {
	*os.File
	size int64
}

// rawStep is how much of a raw file counts as data where data begins, in bytes. To
// ask for the next hole would have some file systems walk the whole file.
const rawStep = 1 << 20

func (r rawFile) Size() int64 { return r.size }

func (r rawFile) Next(off int64) (int64, oracle.Kind, error) {
	data, err := unix.Seek(int(r.Fd()), off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return r.size - off, oracle.Zero, nil // a hole up to the end
	case err == nil && data > off:
		return data - off, oracle.Zero, nil
	}
	return min(rawStep, r.size-off), oracle.Data, nil
}
