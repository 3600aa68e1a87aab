package session

import (
	"fmt"
	"path"
	"time"

	"fleece/host"
	"fleece/host/memhost"
	"fleece/machine"
	"fleece/qmp"
	"fleece/sim"
)

// Format is the first member of a record, and its version the value.
const (
	Format        = "fleece-session"
	FormatVersion = 1
)

// Limits of a setup.
const (
	MonitorsMax = 16
	ImagesMax   = 1024
	// HostBytesDefault is what the images in memory may take up, and HostBytesMax
	// what a record may ask for.
	HostBytesDefault = 1 << 30
	HostBytesMax     = 1 << 40
	// ImageSizeMax is the largest virtual size of an image.
	ImageSizeMax = 16 << 40
)

// Setup is what a session begins with.
type Setup struct {
	// Seed chooses among the orders that are legal; 0 is the plain one.
	Seed uint64
	// Begin is the wall clock's time at the begin.
	Begin time.Time
	// Monitors is the number of QMP monitors.
	Monitors int
	// HostBytes is the capacity of the host in memory: beyond it writes get
	// ENOSPC.
	HostBytes int64
	// Dies lets the machine crash where the real binary does (§11); the default is
	// to answer with an error.
	Dies bool
	// Images are made empty before the machine starts.
	Images []Image
	// Dirs are made too.
	Dirs []string
	// Machine is what runs.
	Machine machine.Spec
}

// Image is a file of the host in memory.
type Image struct {
	Path   string
	Format string // "raw" or "qcow2"
	Size   int64  // virtual size in bytes
}

func (s *Setup) crash() sim.Crash {
	if s.Dies {
		return sim.CrashDies
	}
	return sim.CrashAnswers
}

// create makes the images and their directories.
func (s *Setup) create(k *memhost.Kernel, h host.Host) error {
	for _, dir := range s.Dirs {
		if err := k.MkdirAll(dir); err != nil {
			return err
		}
	}
	for _, image := range s.Images {
		if err := k.MkdirAll(path.Dir(image.Path)); err != nil {
			return err
		}
		if err := image.create(h); err != nil {
			return fmt.Errorf("image %s: %w", image.Path, err)
		}
	}
	return nil
}

// imageMode is the mode of new images.
const imageMode = 0o644

func (i *Image) create(h host.Host) error {
	switch i.Format {
	case "qcow2":
		return sim.CreateImage(h, i.Path, i.Size, 0, 3)
	case "raw":
		f, err := h.OpenFile(i.Path, host.ReadWrite|host.Create|host.Exclusive, imageMode)
		if err != nil {
			return err
		}
		if err := f.Truncate(i.Size); err != nil {
			return err
		}
		return f.Close()
	}
	return fmt.Errorf("format %q: there are raw and qcow2", i.Format)
}

// Value is the setup as the first line of a record.
func (s *Setup) Value() qmp.Value {
	images := make([]qmp.Value, len(s.Images))
	for i, m := range s.Images {
		images[i] = qmp.Dict(qmp.M("path", qmp.Str(m.Path)), qmp.M("format", qmp.Str(m.Format)), qmp.M("size", qmp.Int(m.Size)))
	}
	dirs := make([]qmp.Value, len(s.Dirs))
	for i, d := range s.Dirs {
		dirs[i] = qmp.Str(d)
	}
	devices := make([]qmp.Value, len(s.Machine.Devices))
	for i, d := range s.Machine.Devices {
		devices[i] = qmp.Dict(qmp.M("driver", qmp.Str(d.Driver)), qmp.M("id", qmp.Str(d.ID)), qmp.M("drive", qmp.Str(d.Drive)),
			qmp.M("read-only", qmp.Bool(d.ReadOnly)), qmp.M("serial", qmp.Str(d.Serial)), qmp.M("write-through", qmp.Bool(d.WriteThrough)),
			qmp.M("werror", qmp.Str(d.WriteErrors)), qmp.M("rerror", qmp.Str(d.ReadErrors)))
	}
	m := &s.Machine
	return qmp.Dict(
		qmp.M(Format, qmp.Int(FormatVersion)), qmp.M("seed", qmp.Uint(s.Seed)), qmp.M("begin", qmp.Int(s.Begin.UnixNano())),
		qmp.M("monitors", qmp.Int(int64(s.Monitors))), qmp.M("host-bytes", qmp.Int(s.HostBytes)),
		qmp.M("dies", qmp.Bool(s.Dies)),
		qmp.M("dirs", qmp.List(dirs...)), qmp.M("images", qmp.List(images...)),
		qmp.M("machine", qmp.Dict(
			qmp.M("name", qmp.Str(m.Name)), qmp.M("uuid", qmp.Str(m.UUID)), qmp.M("memory-kib", qmp.Int(m.MemoryKiB)),
			qmp.M("vcpus", qmp.Int(int64(m.VCPUs))), qmp.M("type", qmp.Str(m.Machine)), qmp.M("paused", qmp.Bool(m.Paused)),
			qmp.M("nodes", qmp.List(m.Nodes...)), qmp.M("devices", qmp.List(devices...)))))
}

// ParseSetup reads the first line of a record.
func ParseSetup(v qmp.Value) (Setup, error) {
	version, ok := v.Get(Format).Int64()
	if !ok {
		return Setup{}, fmt.Errorf("the first line is no object with member %q: no record of a session", Format)
	}
	if version != FormatVersion {
		return Setup{}, fmt.Errorf("record of version %d; this fleece reads version %d", version, FormatVersion)
	}
	var s Setup
	s.Seed, _ = v.Get("seed").Uint64()
	begin, _ := v.Get("begin").Int64()
	s.Begin = time.Unix(0, begin)
	s.HostBytes, _ = v.Get("host-bytes").Int64()
	s.Dies = v.Get("dies").IsTrue()
	monitors, _ := v.Get("monitors").Int64()
	if monitors < 1 || monitors > MonitorsMax {
		return Setup{}, fmt.Errorf("%d monitors; there may be 1 to %d", monitors, MonitorsMax)
	}
	s.Monitors = int(monitors)
	for _, d := range v.Get("dirs").Items() {
		s.Dirs = append(s.Dirs, d.S())
	}
	for _, m := range v.Get("images").Items() {
		size, _ := m.Get("size").Int64()
		s.Images = append(s.Images, Image{Path: m.Get("path").S(), Format: m.Get("format").S(), Size: size})
	}
	s.Machine = parseMachine(v.Get("machine"))
	return s, s.check()
}

// check refuses a setup beyond the limits.
func (s *Setup) check() error {
	switch {
	case s.HostBytes < 1 || s.HostBytes > HostBytesMax:
		return fmt.Errorf("a host of %d bytes; it may have 1 to %d", s.HostBytes, int64(HostBytesMax))
	case len(s.Images) > ImagesMax || len(s.Dirs) > ImagesMax:
		return fmt.Errorf("%d images and %d directories; there may be %d of each", len(s.Images), len(s.Dirs), ImagesMax)
	}
	for _, image := range s.Images {
		if image.Size < 0 || image.Size > ImageSizeMax {
			return fmt.Errorf("image %s of %d bytes; it may have up to %d", image.Path, image.Size, int64(ImageSizeMax))
		}
	}
	return nil
}

func parseMachine(v qmp.Value) machine.Spec {
	m := machine.Spec{
		Name: v.Get("name").S(), UUID: v.Get("uuid").S(), Machine: v.Get("type").S(),
		Nodes: v.Get("nodes").Items(), Paused: v.Get("paused").IsTrue(),
	}
	m.MemoryKiB, _ = v.Get("memory-kib").Int64()
	vcpus, _ := v.Get("vcpus").Int64()
	m.VCPUs = int(vcpus)
	for _, d := range v.Get("devices").Items() {
		m.Devices = append(m.Devices, machine.Device{
			Driver: d.Get("driver").S(), ID: d.Get("id").S(), Drive: d.Get("drive").S(),
			ReadOnly: d.Get("read-only").IsTrue(), Serial: d.Get("serial").S(), WriteThrough: d.Get("write-through").IsTrue(),
			WriteErrors: d.Get("werror").S(), ReadErrors: d.Get("rerror").S(),
		})
	}
	return m
}
