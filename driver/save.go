package driver

import (
	"errors"
	"io"

	"fleece/driver/state"
	"fleece/host"
	"fleece/qmp"
	"fleece/virt"
)

// saveSuffix is that of the socket through which QEMU writes the memory.
const saveSuffix = ".save"

// DomainSave stops the guest, writes its memory to a file and ends the domain; its images
// have the bitmaps of the checkpoints then. The file is QEMU's stream as it is: no call of
// this layer takes it back. Errors: 68 while a backup runs (E250), 55 with a block job
// (E247), 38 for a file that cannot be made; then the guest goes on and the file is gone.
func (drv *Driver) DomainSave(id virt.DomainID, to string) error {
	d, err := drv.beginMigration(id, saveAPI, virt.DOMAIN_JOB_OPERATION_SAVE)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	defer d.endMigration()
	r := d.run
	s := &saving{d: d, path: to, socket: drv.statePath(d.name) + saveSuffix}
	running := !r.paused
	d.stored.Leaving = &state.Leaving{Path: to, Resume: running}
	if err := d.save(); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	if running {
		_, err = d.nested(r, qmp.Stop{})
	}
	if err == nil {
		err = d.migrate(r, "unix:"+s.socket, 0)
	}
	if closing := s.close(); err == nil && closing != nil {
		err = systemError(closing, "unable to write file '%s'", to)
	}
	if err == nil {
		err = d.saved()
	}
	if err == nil {
		return d.leave(r, virt.DOMAIN_EVENT_STOPPED_SAVED)
	}
	d.removeNoted(to)
	if running {
		if _, e := d.nested(r, qmp.Cont{}); e != nil {
			d.drv.p.Note("guest-not-resumed", d.name, e)
		}
	}
	return err
}

// saved stores that the file is complete, before the machine that it is of is killed: a
// driver that comes after this one could not tell any more.
func (d *domain) saved() error {
	d.stored.Leaving.Complete = true
	err := d.save()
	d.stored.Leaving.Complete = err == nil
	return err
}

// saving is the file of a save, and the socket from which it is filled.
type saving struct {
	d            *domain
	path, socket string
	file         host.File
	l            host.Listener
	done         bool // the copying has ended, with err
	err          error
}

func (s *saving) open() error {
	h := s.d.drv.h
	file, err := h.OpenFile(s.path, host.ReadWrite|host.Create|host.Truncate, 0o600)
	if err != nil {
		return systemError(err, "failed to create file '%s'", s.path)
	}
	s.file = file
	s.d.removeNoted(s.socket) // of a driver that died
	if s.l, err = h.Listen(host.Unix, s.socket); err != nil {
		_ = file.Close()
		s.d.removeNoted(s.path)
		return systemError(err, "unable to listen on '%s'", s.socket)
	}
	s.d.drv.p.Go("save", s.copy)
	return nil
}

// copyBytes is how much of the stream is read at a time.
const copyBytes = 64 << 10

// copy fills the file with what QEMU sends. Without a connection there is nothing to do.
func (s *saving) copy() {
	err := s.receive()
	s.d.mu.Lock()
	s.done, s.err = true, err
	s.d.cond.Broadcast()
	s.d.mu.Unlock()
}

func (s *saving) receive() error {
	c, err := s.l.Accept()
	if err != nil {
		return nil // nobody came
	}
	buffer, off := make([]byte, copyBytes), int64(0)
	for err == nil {
		var n int
		if n, err = c.Read(buffer); n > 0 {
			if _, e := s.file.WriteAt(buffer[:n], off); e != nil {
				err = e
			}
			off += int64(n)
		}
	}
	_ = c.Close()
	if errors.Is(err, io.EOF) {
		err = s.file.Sync()
	}
	return err
}

// close waits for the copying and gives everything back; the lock is held.
func (s *saving) close() error {
	_ = s.l.Close()
	for !s.done {
		s.d.cond.Wait()
	}
	err := s.file.Close()
	s.d.removeNoted(s.socket)
	if s.err != nil {
		return s.err
	}
	return err
}
