package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fleece/conformance/imagefile"
)

const (
	// nbdBytes is what is read, and compared.
	nbdBytes = 1 << 30
	// nbdRounds is how often each side is measured, in turns.
	nbdRounds = 5
)

// contest is a set of sides that are measured in turns.
type contest struct {
	what  string
	sides []*contestant
}

type contestant struct {
	name  string
	run   func() error
	times []time.Duration
}

func (c *contest) measure() error {
	for range nbdRounds {
		for _, s := range c.sides {
			start := time.Now()
			if err := s.run(); err != nil {
				return fmt.Errorf("%s, %s: %w", c.what, s.name, err)
			}
			s.times = append(s.times, time.Since(start))
		}
	}
	var parts []string
	for _, s := range c.sides {
		slices.Sort(s.times)
		parts = append(parts, fmt.Sprintf("%s %.2f s", s.name, s.median().Seconds()))
	}
	ours := c.sides[0].median().Seconds()
	var ratios []string
	for _, s := range c.sides[1:] {
		ratios = append(ratios, fmt.Sprintf("%.2f of %s", s.median().Seconds()/ours, s.name))
	}
	fmt.Printf("%s, medians of %d: %s; speed of ours: %s\n", c.what, nbdRounds, strings.Join(parts, ", "), strings.Join(ratios, ", "))
	return nil
}

func (s *contestant) median() time.Duration { return s.times[len(s.times)/2] }

// command is a contestant's run.
func command(program string, args ...string) func() error {
	return func() error {
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
}

// images compares nbdcopy from three servers, and the comparison of images.
func images(fleece string) error {
	dir, err := os.MkdirTemp(memoryDir(), "fleece-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	disk, twin := filepath.Join(dir, "disk.qcow2"), filepath.Join(dir, "twin.qcow2")
	if err := randomImages(dir, disk, twin); err != nil {
		return err
	}
	reading := contest{what: "nbdcopy of 1 GiB"}
	for _, s := range []struct {
		name  string
		start func(dir, disk string) (uri string, stop func(), err error)
	}{{"fleece serve", serveOurs(fleece)}, {"qemu-nbd", serveQEMU}, {"nbdkit memory", serveNBDKit}} {
		uri, stop, err := s.start(dir, disk)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer stop()
		reading.sides = append(reading.sides, &contestant{name: s.name, run: command("nbdcopy", uri, "null:")})
	}
	if err := reading.measure(); err != nil {
		return err
	}
	comparing := contest{what: "comparison of two images of 1 GiB", sides: []*contestant{
		{name: "fleece compare", run: command(fleece, "compare", disk, twin)},
		{name: "qemu-img compare", run: command("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", disk, twin)},
	}}
	if _, err := imagefile.Compare([2]string{disk, twin}, [2]string{}); err != nil {
		return err
	}
	return comparing.measure()
}

// memoryDir is a directory in memory, so that no disk is measured; "" if there is
// none.
func memoryDir() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// randomImages makes two images with the same random content.
func randomImages(dir, disk, twin string) error {
	raw := filepath.Join(dir, "raw")
	f, err := os.Create(raw)
	if err != nil {
		return err
	}
	defer os.Remove(raw)
	_, err = io.CopyN(f, rand.Reader, nbdBytes)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, to := range []string{disk, twin} {
		if err := command("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, to)(); err != nil {
			return err
		}
	}
	return nil
}

func nbdURI(socket string) string { return "nbd+unix:///e?socket=" + socket }

// serveOurs exports the image with fleece serve, as a pull backup's reader finds it.
func serveOurs(fleece string) func(dir, disk string) (string, func(), error) {
	return func(dir, disk string) (string, func(), error) {
		qmp, socket := filepath.Join(dir, "qmp"), filepath.Join(dir, "ours")
		s, err := startServer("serve", qmp, fleece, "serve", "--qmp", "unix:"+qmp, "--dir", dir, "--",
			"-blockdev", "driver=qcow2,node-name=d,read-only=on,file.driver=file,file.filename="+disk)
		if err != nil {
			return "", nil, err
		}
		s.in = bufio.NewReader(s.conn)
		for _, c := range []string{
			`{"execute":"nbd-server-start","arguments":{"addr":{"type":"unix","data":{"path":"` + socket + `"}}}}`,
			`{"execute":"block-export-add","arguments":{"type":"nbd","id":"e","node-name":"d","name":"e"}}`,
		} {
			if err := s.trip(c); err != nil {
				s.stop()
				return "", nil, err
			}
		}
		return nbdURI(socket), s.stop, nil
	}
}

func serveQEMU(dir, disk string) (string, func(), error) {
	socket := filepath.Join(dir, "theirs")
	stop, err := background(socket, "qemu-nbd", "-k", socket, "-x", "e", "-f", "qcow2", "-r", "-e", "8", "--persistent", disk)
	return nbdURI(socket), stop, err
}

// serveNBDKit serves memory that was filled from the image.
func serveNBDKit(dir, disk string) (string, func(), error) {
	socket := filepath.Join(dir, "kit")
	stop, err := background(socket, "nbdkit", "-f", "-U", socket, "-e", "e", "memory", fmt.Sprint(nbdBytes))
	if err != nil {
		return "", nil, err
	}
	if err := command("qemu-img", "convert", "-n", "-f", "qcow2", "-O", "raw", disk, nbdURI(socket))(); err != nil {
		stop()
		return "", nil, err
	}
	return nbdURI(socket), stop, nil
}

// background starts a server and waits for its socket.
func background(socket, program string, args ...string) (stop func(), err error) {
	c := exec.Command(program, args...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	for deadline := time.Now().Add(serveTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if conn, err := dial(socket); err == nil {
			return stop, conn.Close()
		}
	}
	stop()
	return nil, fmt.Errorf("no socket within %s", serveTimeout)
}
