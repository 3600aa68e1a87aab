package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// expected is the disk when the backup began.
func expected() []byte {
	disk := make([]byte, 4<<20)
	fill := func(b byte, off, n int) { copy(disk[off:], bytes.Repeat([]byte{b}, n)) }
	fill(1, 0, 1<<20)
	fill(2, 2<<20, 64<<10)
	fill(3, 512<<10, 192<<10)
	fill(4, 4194176, 128)
	return disk
}

// read has the programs read the exports. The copies are made while the guest
// writes.
func (m *machine) read(dir string) ([]said, error) {
	uri := "nbd+unix:///vda?socket=" + m.socket()
	if err := m.guest("write -P 9 0 64k", "write -P 9 2M 1k"); err != nil {
		return nil, err
	}
	var answers []said
	for _, command := range [][]string{
		{"nbdinfo", "--list", strings.Replace(uri, "vda", "", 1)},
		{"nbdinfo", "--no-content", uri},
		{"nbdinfo", "--map", uri},
		{"nbdinfo", "--map=qemu:dirty-bitmap:changed", uri},
		{"qemu-img", "map", "--output=json", "-f", "raw", uri},
		{"qemu-img", "info", uri},
	} {
		text, err := tell(dir, command)
		if err != nil {
			return nil, err
		}
		answers = append(answers, text)
	}
	for _, command := range [][]string{
		{"nbdcopy", uri, filepath.Join(dir, "nbdcopied")},
		{"qemu-img", "convert", "-f", "raw", "-O", "raw", uri, filepath.Join(dir, "converted")},
	} {
		text, err := m.copyWhileTheGuestWrites(dir, command)
		if err != nil {
			return nil, err
		}
		answers = append(answers, text)
	}
	text, err := tell(dir, []string{"qemu-img", "compare", "-f", "raw", "-F", "raw", uri, filepath.Join(dir, "nbdcopied")})
	return append(answers, text), err
}

// copyWhileTheGuestWrites runs a program that copies the export, and looks at the
// copy.
func (m *machine) copyWhileTheGuestWrites(dir string, command []string) (said, error) {
	type result struct {
		text said
		err  error
	}
	done := make(chan result)
	go func() {
		text, err := tell(dir, command)
		done <- result{text, err}
	}()
	for i := 0; ; i++ {
		select {
		case r := <-done:
			if r.err != nil {
				return r.text, r.err
			}
			copied, err := os.ReadFile(command[len(command)-1])
			if err != nil {
				return r.text, err
			}
			if !bytes.Equal(copied, expected()) {
				r.text.text += "the copy is NOT the disk as it was when the backup began\n"
			} else {
				r.text.text += "the copy is the disk as it was when the backup began\n"
			}
			return r.text, nil
		default:
			if err := m.guest(fmt.Sprintf("write -P 7 %dk 4k", i%1000*4)); err != nil {
				return said{}, err
			}
		}
	}
}

// tell runs a program; the directory does not show in what it says.
func tell(dir string, command []string) (said, error) {
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	plain := strings.NewReplacer(dir, "DIR")
	s := said{plain.Replace(strings.Join(command, " ")), plain.Replace(string(out))}
	if err != nil {
		return s, fmt.Errorf("%s: %w: %s", s.command, err, s.text)
	}
	return s, nil
}
