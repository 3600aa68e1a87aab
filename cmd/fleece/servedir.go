package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"fleece/machine"
	"fleece/qmpfake/live"
	"fleece/qmpfake/socket"
	"fleece/sim"
)

// checkDir refuses flags that a machine on real files cannot have.
func (f serveFlags) checkDir() error {
	switch {
	case f.record != "":
		return errors.New("--record and --dir: what other programs do to files cannot be recorded")
	case f.seed != 0:
		return errors.New("--seed and --dir: on real files the operating system decides the order")
	case len(f.images) > 0:
		return errors.New("--image and --dir: make image files with qemu-img, or by blockdev-create")
	}
	return nil
}

// serveDir runs a machine on the image files of a directory.
func (f serveFlags) serveDir(out io.Writer, spec machine.Spec) error {
	var monitors []net.Listener
	closeAll := func() {
		for _, l := range monitors {
			_ = l.Close()
		}
	}
	for _, text := range f.qmp {
		a, err := socket.ParseAddress(text)
		var l net.Listener
		if err == nil {
			l, err = a.Listen()
		}
		if err != nil {
			closeAll()
			return fmt.Errorf("--qmp: %w", err)
		}
		monitors = append(monitors, l)
	}
	options := live.Options{
		Dir: f.dir, Machine: spec, Monitors: monitors,
		Print: func(line string) { fmt.Fprintln(out, line) },
		Ready: func() {
			for _, l := range monitors {
				fmt.Fprintln(out, "listening on", socket.Address{Network: l.Addr().Network(), Path: l.Addr().String()})
			}
		},
	}
	if f.dies {
		options.Crash = sim.CrashDies
	}
	m, err := live.Start(options)
	if err != nil {
		return fmt.Errorf("the machine cannot start: %w", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	go func() {
		if _, ok := <-signals; ok {
			signal.Stop(signals)
			m.Terminate()
		}
	}()
	err = m.Wait()
	if errors.Is(err, live.ErrDied) {
		fmt.Fprintln(os.Stderr, "fleece: serve:", err)
		return errFinding
	}
	return err
}
