package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// servePairs is how often each side is measured, in turns.
	servePairs = 60
	// serveTrips is how many round trips of each command are one measurement.
	serveTrips = 25
	// serveTimeout bounds a start and a round trip.
	serveTimeout = 20 * time.Second
)

// serveCommands are what is asked: a trivial one, and what backup software polls.
var serveCommands = [...]string{
	`{"execute":"query-status"}`,
	`{"execute":"query-jobs"}`,
	`{"execute":"query-block"}`,
	`{"execute":"query-named-block-nodes","arguments":{"flat":true}}`,
}

// qmpServer is a process that serves QMP on a unix socket.
type qmpServer struct {
	name  string
	cmd   *exec.Cmd
	conn  *os.File
	in    *bufio.Reader
	trips []time.Duration
	rates []float64 // round trips per second of each measurement
}

// serve compares the round trips of fleece serve with QEMU's, on the same kind of
// socket, with the same disk, in turns.
func serve(fleece string) error {
	dir, err := os.MkdirTemp("", "fleece-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	disk := filepath.Join(dir, "disk.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", disk, "64M").CombinedOutput(); err != nil {
		return fmt.Errorf("qemu-img: %w: %s", err, out)
	}
	machine := []string{
		"-nodefaults", "-display", "none", "-machine", "pc", "-accel", "tcg", "-S",
		"-blockdev", "driver=qcow2,node-name=d,file.driver=file,file.filename=" + disk,
		"-device", "virtio-blk-pci,drive=d,id=virtio-disk0",
	}
	qemu, err := startServer("qemu", filepath.Join(dir, "qemu"), "qemu-system-x86_64",
		append(machine, "-qmp", "unix:"+filepath.Join(dir, "qemu")+",server=on,wait=off")...)
	if err != nil {
		return err
	}
	defer qemu.stop()
	sim, err := startServer("serve", filepath.Join(dir, "fleece"), fleece,
		append([]string{"serve", "--qmp", "unix:" + filepath.Join(dir, "fleece"), "--"}, machine...)...)
	if err != nil {
		return err
	}
	defer sim.stop()
	ratios := make([]float64, servePairs)
	for i := range ratios {
		for _, s := range []*qmpServer{qemu, sim} {
			if err := s.measure(); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		ratios[i] = sim.rates[i] / qemu.rates[i]
	}
	qemu.print()
	sim.print()
	slices.Sort(ratios)
	fmt.Printf("ratio serve : qemu = %.1f : 1 at the median of %d pairs (worst pair %.1f, best %.1f); latency p50 %.1f : 1, p99 %.1f : 1\n",
		ratios[len(ratios)/2], len(ratios), ratios[0], ratios[len(ratios)-1], over(qemu, sim, 50), over(qemu, sim, 99))
	return nil
}

// startServer starts a program and negotiates with it.
func startServer(name, socket, program string, args ...string) (*qmpServer, error) {
	s := &qmpServer{name: name, cmd: exec.Command(program, args...)}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	deadline := time.Now().Add(serveTimeout)
	for {
		conn, err := dial(socket)
		if err == nil {
			s.conn = conn
			break
		}
		if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		time.Sleep(time.Millisecond)
	}
	s.in = bufio.NewReaderSize(s.conn, 64<<10)
	if _, err := s.in.ReadSlice('\n'); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: greeting: %w", name, err)
	}
	return s, s.trip(`{"execute":"qmp_capabilities"}`)
}

// dial connects with a socket that blocks: the poller of the Go runtime, which would
// be part of each round trip, stays out of it, as it does in libvirt.
func dial(path string) (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: int64(serveTimeout / time.Second)}),
		syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}))
	if err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (s *qmpServer) trip(command string) error {
	if _, err := s.conn.Write([]byte(command)); err != nil {
		return err
	}
	reply, err := s.in.ReadSlice('\n')
	if err == nil && !strings.HasPrefix(string(reply), `{"return"`) {
		err = fmt.Errorf("%s: %s", command, reply)
	}
	return err
}

// measure makes the round trips of one measurement.
func (s *qmpServer) measure() error {
	begin, last := time.Now(), time.Now()
	for _, c := range serveCommands {
		for range serveTrips {
			if err := s.trip(c); err != nil {
				return err
			}
			now := time.Now()
			s.trips = append(s.trips, now.Sub(last))
			last = now
		}
	}
	s.rates = append(s.rates, float64(len(serveCommands)*serveTrips)/time.Since(begin).Seconds())
	return nil
}

// percentile of the round trips.
func (s *qmpServer) percentile(p int) time.Duration {
	slices.Sort(s.trips)
	return s.trips[(len(s.trips)-1)*p/100]
}

func over(a, b *qmpServer, p int) float64 {
	return float64(a.percentile(p)) / float64(b.percentile(p))
}

func (s *qmpServer) print() {
	rates := slices.Sorted(slices.Values(s.rates))
	fmt.Printf("%-5s %d QMP round trips, %.0f per second at the median, latency p50 %.1f µs, p99 %.1f µs\n", s.name, len(s.trips),
		rates[len(rates)/2], micro(s.percentile(50)), micro(s.percentile(99)))
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// stop ends the process.
func (s *qmpServer) stop() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
