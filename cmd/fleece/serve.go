package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"fleece/explore"
	"fleece/machine"
	"fleece/qmp"
	"fleece/qmpfake/session"
	"fleece/qmpfake/socket"
	"fleece/rt/simrt"
)

// serveFlags are the flags of fleece serve.
type serveFlags struct {
	qmp    []string
	domain string
	images []string
	seed   uint64
	record string
	dir    string
	dies   bool
}

const serveLong = `Serves a simulated QEMU 7.2 on sockets, in the time of the wall clock, to any QMP
client. Each --qmp is a monitor as a chardev with server=on,wait=off makes it: one
client at a time, the next one when it has left.

The machine is a domain of libvirt (--domain FILE), which waits for cont as libvirt
starts it, or what QEMU's own arguments behind -- say: -blockdev (JSON or key=value),
-device, -S, -name. Guest writes are made as on QEMU without a guest:

  {"execute": "human-monitor-command", "arguments": {"command-line":
    "qemu-io -d virtio-disk0/virtio-backend \"write -P 1 0 64k\""}}

With --dir DIR the machine works on the image files of that directory, relative names
taken from there, beside other programs: what it flushed, closed or quit with is in the
files as QEMU leaves it, and its NBD exports can be read. Such a session cannot be
recorded.

Without it images live in memory, and so do NBD exports. Those that the machine names are created empty, in the format
of the node above them, 1 GiB long; --image path=/a.qcow2,size=16M,format=qcow2 says
otherwise, or adds one.

--record FILE keeps every input with its instant, and every output; fleece replay
FILE runs the session again without a client and compares.

The machine ends by quit, by SIGTERM or by SIGINT: exit status 0. Exit status 1: it
died as the real binary would (--die). 2: it cannot start, or cannot listen.`

func serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve --qmp unix:PATH|tcp:127.0.0.1:PORT [--domain FILE] [-- -blockdev … -device …]",
		Short: "the simulator as a QMP server on sockets",
		Long:  serveLong,
		Example: `  fleece serve --qmp unix:/tmp/qmp.sock --domain vm.xml
  fleece serve --qmp tcp:127.0.0.1:4444 -- -S \
    -blockdev driver=qcow2,node-name=d,file.driver=file,file.filename=/d.qcow2 \
    -device virtio-blk-pci,drive=d,id=virtio-disk0`,
		RunE: func(c *cobra.Command, args []string) error {
			if n := c.ArgsLenAtDash(); len(args) > 0 && n != 0 {
				return fmt.Errorf("serve: argument %q: QEMU's own arguments stand behind --", args[0])
			}
			return serve(c.OutOrStdout(), f, args)
		},
	}
	c.Flags().StringArrayVar(&f.qmp, "qmp", nil, "where a monitor listens: unix:PATH or tcp:127.0.0.1:PORT; again for more")
	c.Flags().StringVar(&f.domain, "domain", "", "the machine, as libvirt domain XML")
	c.Flags().StringArrayVar(&f.images, "image", nil, "an empty image in memory: path=PATH[,size=SIZE][,format=raw|qcow2]")
	c.Flags().Uint64Var(&f.seed, "seed", 0, "choose another of the legal orders; 0 is the plain one")
	c.Flags().StringVar(&f.record, "record", "", "keep the session in FILE, for fleece replay")
	c.Flags().StringVar(&f.dir, "dir", "", "work on the image files of this directory")
	c.Flags().BoolVar(&f.dies, "die", false, "die where the real binary crashes, instead of answering with an error")
	return c
}

// serve runs the server until the machine is gone.
func serve(out io.Writer, f serveFlags, args []string) error {
	if f.dir != "" {
		spec, err := f.machine(args)
		if err == nil {
			err = f.checkDir()
		}
		if err == nil {
			err = f.serveDir(out, spec)
		}
		if err != nil && !errors.Is(err, errFinding) {
			return fmt.Errorf("serve: %w", err)
		}
		return err
	}
	setup, err := f.setup(args)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	addresses := make([]socket.Address, len(f.qmp))
	for i, text := range f.qmp {
		if addresses[i], err = socket.ParseAddress(text); err != nil {
			return fmt.Errorf("serve: --qmp: %w", err)
		}
	}
	server, err := socket.Listen(addresses)
	if err != nil {
		return fmt.Errorf("serve: --qmp: %w", err)
	}
	run := session.Options{Setup: setup, Chooser: chooser(setup.Seed)}
	if f.record != "" {
		record, err := os.OpenFile(f.record, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			server.Close()
			return fmt.Errorf("serve: --record: %w", err)
		}
		defer record.Close()
		w := bufio.NewWriter(record)
		run.Flush = w.Flush
		run.Record = func(line []byte) error {
			_, err := w.Write(line)
			return err
		}
	}
	return f.run(out, server, run)
}

// run serves and turns signals into the machine's end; a second one is the
// process's.
func (f serveFlags) run(out io.Writer, server *socket.Server, run session.Options) error {
	// The world is one goroutine, and a client waits for it: handing work from one
	// core to another only makes round trips longer (measured: twice as long).
	runtime.GOMAXPROCS(1)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			server.Terminate()
		case <-ended:
			signal.Stop(signals)
		}
	}()
	err := server.Run(socket.Options{
		Session: run,
		Ready: func() {
			for _, a := range server.Addresses() {
				fmt.Fprintln(out, "listening on", a)
			}
		},
		Print: func(line string) { fmt.Fprintln(out, line) },
	})
	var start *session.StartError
	switch {
	case errors.Is(err, session.ErrDied):
		fmt.Fprintln(os.Stderr, "fleece: serve:", err)
		return errFinding
	case errors.As(err, &start):
		return fmt.Errorf("serve: the machine cannot start: %w", err)
	case err != nil:
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// chooser makes the choices of a seed; nil for the plain run.
func chooser(seed uint64) simrt.Chooser {
	if seed == 0 {
		return nil
	}
	r := explore.NewRandom()
	r.Begin(seed)
	return r
}

// machine is what the flags and QEMU's arguments describe.
func (f serveFlags) machine(args []string) (machine.Spec, error) {
	switch {
	case len(f.qmp) == 0:
		return machine.Spec{}, errors.New("--qmp is missing: where is the monitor?")
	case f.domain != "" && len(args) > 0:
		return machine.Spec{}, errors.New("--domain and QEMU's own arguments: give one of them")
	case f.domain != "":
		return domainMachine(f.domain)
	}
	schema, err := qmp.LoadSchema()
	if err != nil {
		return machine.Spec{}, err
	}
	return parseQEMUArguments(args, schema)
}

// setup is the session that the flags and QEMU's arguments describe.
func (f serveFlags) setup(args []string) (session.Setup, error) {
	setup := session.Setup{Seed: f.seed, HostBytes: session.HostBytesDefault, Dies: f.dies, Dirs: []string{"/tmp", "/var/tmp"}}
	var err error
	if setup.Machine, err = f.machine(args); err != nil {
		return setup, err
	}
	setup.Images, err = imagesOf(setup.Machine, f.images)
	return setup, err
}
