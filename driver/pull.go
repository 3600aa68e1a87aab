package driver

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fleece/driver/backupdef"
	"fleece/host"
	"fleece/qmp"
	"fleece/virt"
)

// Ports that are tried for a pull backup without one, from NBD's own on.
const (
	portFirst = 10809
	portCount = 1000
)

// exportID is the id of a disk's export in QEMU, as libvirt's.
func (k *disk) exportID() string { return "libvirt-nbd-" + k.target().Format() }

// pull reports whether the backup is read by others and not written by QEMU.
func (b *backup) pull() bool { return b.def.Mode == backupdef.Pull }

// checkPull is steps 9 and 10 of a pull backup, and what QEMU would find out too
// late (§8.3): names of exports are checked before anything is started.
func (g *beginning) checkPull() error {
	def := g.b.def
	def.DefaultServer()
	if err := checkExports(def); err != nil {
		return err
	}
	if def.Server.TLS == "yes" && g.d.drv.cfg.TLSDir == "" {
		return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "backup TLS directory not configured")
	}
	return nil
}

// QEMU's limits of names, in bytes.
const (
	bitmapNameMax = 1023
	exportNameMax = 4096
)

// checkExports refuses names that QEMU would refuse, or that two disks share.
func checkExports(def *backupdef.Backup) error {
	for i := range def.Disks {
		k := &def.Disks[i]
		switch {
		case !k.Backup:
			continue
		case len(k.ExportName) > exportNameMax:
			return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU,
				"export name of disk '%s' has %d bytes, at most %d are possible", k.Name, len(k.ExportName), exportNameMax)
		case len(k.ExportBitmap) > bitmapNameMax:
			return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU,
				"export bitmap of disk '%s' has %d bytes, at most %d are possible", k.Name, len(k.ExportBitmap), bitmapNameMax)
		}
		for _, other := range def.Disks[:i] {
			if other.Backup && other.ExportName == k.ExportName {
				return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU,
					"export name '%s' is used for disks '%s' and '%s'", k.ExportName, other.Name, k.Name)
			}
		}
	}
	return nil
}

// chooseAddress settles where QEMU will listen, before that is stored: a free port,
// or a socket that is in nobody's way.
func (g *beginning) chooseAddress() error {
	s := g.b.def.Server
	if s.Transport == "unix" {
		return g.checkSocket(s.Socket)
	}
	g.portChosen = s.Port == "" || s.Port == "0"
	if g.portChosen {
		return g.choosePort(portFirst)
	}
	return nil
}

// checkSocket refuses to have a file removed that is no dead socket: QEMU unlinks
// whatever is at the path (docs/qemu-findings.md).
func (g *beginning) checkSocket(path string) error {
	h := g.d.drv.h
	info, err := h.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return systemError(err, "cannot look at backup socket '%s'", path)
	case info.Mode&fs.ModeSocket == 0:
		return virt.Errorf(virt.ERR_INVALID_ARG, virt.FROM_QEMU, "'%s' for the backup socket exists and is not a socket", path)
	}
	c, err := h.Dial(host.Unix, path)
	if err != nil {
		return nil // nobody listens: stale
	}
	_ = c.Close()
	return virt.Errorf(virt.ERR_OPERATION_INVALID, virt.FROM_QEMU, "backup socket '%s' is in use", path)
}

// choosePort takes the first port from first on that can be bound now.
func (g *beginning) choosePort(first int) error {
	h := g.d.drv.h
	for port := first; port < portFirst+portCount; port++ {
		l, err := h.Listen(host.TCP, "127.0.0.1:"+strconv.Itoa(port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return systemError(err, "cannot find a free port for the backup")
		}
		g.b.def.Server.Port = strconv.Itoa(port)
		return l.Close()
	}
	return virt.Errorf(virt.ERR_OPERATION_FAILED, virt.FROM_QEMU, "no free port from %d to %d for the backup", portFirst, portFirst+portCount-1)
}

// serve is step 17: the NBD server. A port that we chose and somebody else took
// meanwhile is replaced by the next.
func (g *beginning) serve() error {
	for {
		err := g.startServer()
		if err == nil || !g.portChosen || !refusedWith(err, "Address already in use") {
			return err
		}
		taken, _ := strconv.Atoi(g.b.def.Server.Port) // ours, hence a number
		if err := g.choosePort(taken + 1); err != nil {
			return err
		}
		g.b.st.XML = g.b.stripped()
		if err := g.d.save(); err != nil {
			return err
		}
	}
}

// refusedWith reports whether QEMU said no, and why.
func refusedWith(err error, reason string) bool {
	return refused(err) && strings.HasSuffix(err.Error(), reason)
}

func (g *beginning) startServer() error {
	s := g.b.def.Server
	start := qmp.NBDServerStart{Addr: qmp.UnixAddress{Path: s.Socket}}
	if s.Transport != "unix" {
		start.Addr = qmp.InetAddress{Host: s.Name, Port: s.Port}
	}
	if s.TLS == "yes" {
		start.TLSCreds = tlsObject
		_, err := g.d.nested(g.r, qmp.TLSCredentials{ID: tlsObject, Dir: g.d.drv.cfg.TLSDir, VerifyPeer: !g.d.drv.cfg.TLSAnyClient})
		g.b.credentials = err == nil || !refused(err)
		if err != nil {
			return err
		}
	}
	_, err := g.d.nested(g.r, start)
	g.b.serving = err == nil || !refused(err)
	if err != nil && g.b.credentials {
		g.d.try(g.r, qmp.ObjectDel{ID: tlsObject})
		g.b.credentials = false
	}
	return err
}

// tlsObject is the id of the server's credentials in QEMU, as libvirt's.
const tlsObject = "objlibvirt_backup_tls0"

// exportAll is step 21. A failure takes the whole Begin back (contract row 10).
func (g *beginning) exportAll() error {
	if !g.b.pull() {
		return nil
	}
	for _, k := range g.b.disks {
		if err := g.d.export(g.r, k); err != nil {
			return err
		}
	}
	return nil
}

// export is step 21 for one disk. The sync job is held.
func (d *domain) export(r *run, k *disk) error {
	x := qmp.BlockExportAdd{ID: k.exportID(), NodeName: k.target().Format(), Writable: qmp.False, Name: k.def.ExportName}
	if k.def.Mode == backupdef.Incremental {
		x.Bitmaps = []qmp.Bitmap{{Name: k.def.ExportBitmap}}
	}
	_, err := d.exec(r, x)
	return err
}

// exportMissing completes the exports of a Begin that died after the transaction.
// One that fails leaves a backup that cannot be read whole: its jobs are ended.
func (d *domain) exportMissing(r *run, b *backup) {
	if !b.pull() {
		return
	}
	v, err := d.exec(r, qmp.QueryBlockExports{})
	for _, k := range b.disks {
		if err == nil && !exported(v, k.exportID()) {
			err = d.export(r, k)
		}
	}
	if err != nil {
		d.drv.p.Note("exports-not-completed", d.name, err)
		d.take(jobModify, "recovery")
		d.cancelDisks(r, b)
		d.end()
	}
}

// exported reports whether an export is in the reply to query-block-exports.
func exported(v qmp.Value, id string) bool {
	for _, x := range v.Items() {
		if x.Get("id").S() == id {
			return true
		}
	}
	return false
}

// pullActions are those of one disk of a pull: what is dirty goes into a bitmap of
// the scratch image, which is exported; the job copies only what the guest is about
// to change.
func (k *disk) pullActions() []qmp.Action {
	job := qmp.BlockdevBackup{
		Device: k.Source, JobID: k.Job, Target: k.target().Format(), Sync: "none",
		AutoFinalize: qmp.True, AutoDismiss: qmp.False,
	}
	if k.def.Mode != backupdef.Incremental {
		return []qmp.Action{job}
	}
	scratch := k.target().Format()
	return []qmp.Action{
		qmp.BitmapAdd{Node: scratch, Name: k.def.ExportBitmap, Persistent: qmp.False, Disabled: qmp.True, Granularity: k.plan.granularity},
		qmp.BitmapMerge{Node: scratch, Target: k.def.ExportBitmap, Sources: k.plan.bitmaps},
		job,
	}
}

// How long a client may hold its handshake open before the driver gives up on
// stopping the server, and how often it looks. QEMU itself drops such clients after
// 10 s.
const (
	handshakeWait = 15 * time.Second
	handshakePoll = 10 * time.Millisecond
)

// serverAddress is where the server listens, as the host seam wants it. Of a TCP
// server only the port counts.
func serverAddress(s *backupdef.Server) (network, address string) {
	if s.Transport == "unix" {
		return host.Unix, s.Socket
	}
	return host.TCP, "127.0.0.1:" + s.Port
}

// stopServing takes the exports away, before the jobs end: a client that still read
// would see what the guest writes (§6.2). A sync job is held.
//
// QEMU never answers nbd-server-stop while a client is in its handshake (§11). So
// the exports go first, which cuts all clients but those; a unix socket loses its
// name, so that no more can come; and the server is stopped when no connection is
// left. If one stays longer than QEMU lets it, the error says so, and the server
// with it stays for another try.
func (d *domain) stopServing(r *run, b *backup) error {
	if !b.serving {
		return nil
	}
	if d.usable(r) != nil {
		d.dropSocket(b)
		return nil
	}
	for _, k := range b.disks {
		d.attempt(r, qmp.BlockExportDel{ID: k.exportID(), Mode: "hard"})
	}
	network, address := serverAddress(b.def.Server)
	if network == host.Unix {
		if err := d.drv.remove(address); err != nil {
			d.drv.p.Note("socket-not-removed", address, err)
		}
	}
	if err := d.awaitNoClients(r, network, address); err != nil {
		return err
	}
	if d.usable(r) != nil { // it died meanwhile
		d.dropSocket(b)
		return nil
	}
	d.attempt(r, qmp.NBDServerStop{})
	b.serving = false
	if b.credentials {
		d.attempt(r, qmp.ObjectDel{ID: tlsObject})
		b.credentials = false
	}
	return nil
}

// dropSocket removes the name of a unix socket that a machine left behind when it
// died. One at which somebody listens is left alone: the machine may not be dead yet,
// or another program has taken the path.
func (d *domain) dropSocket(b *backup) {
	if !b.serving || b.def.Server.Transport != "unix" {
		return
	}
	c, err := d.drv.h.Dial(host.Unix, b.def.Server.Socket)
	if err == nil {
		d.drv.p.Note("socket-in-use", b.def.Server.Socket, c.Close())
		return
	}
	d.removeNoted(b.def.Server.Socket)
	b.serving = false
}

// awaitNoClients waits until nobody is connected to the server, or its machine is gone.
func (d *domain) awaitNoClients(r *run, network, address string) error {
	deadline := d.drv.p.Now().Add(handshakeWait)
	for d.usable(r) == nil {
		n, err := d.drv.h.Connections(network, address)
		if err != nil {
			d.drv.p.Note("connections-not-counted", address, err)
			return nil
		}
		if n == 0 {
			return nil
		}
		if d.drv.p.Now().After(deadline) {
			return virt.Errorf(virt.ERR_OPERATION_TIMEOUT, virt.FROM_QEMU,
				"cannot stop the NBD server at '%s': %d clients do not finish their handshake", address, n)
		}
		d.mu.Unlock()
		d.drv.p.Sleep(handshakePoll)
		d.mu.Lock()
	}
	return nil
}
