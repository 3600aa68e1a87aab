// Package backupdef is the <domainbackup> document: parsing it by libvirt's
// grammar, aligning it with the disks of a domain, and describing the backup that
// came of it.
//
// It is not the backup: it knows no QEMU, no file and no job.
//
// The property it keeps: the order of failures is libvirt's (35 not well-formed,
// 27 another root, 92 grammar, then the checks of the code), and what Format
// writes parses to the same backup once the output-only attributes (index) are
// gone.
package backupdef

import "fleece/driver/xmldoc"

// Modes of a backup.
const (
	Push = "push"
	Pull = "pull"
)

// Values of a disk's backupmode.
const (
	Full        = "full"
	Incremental = "incremental"
)

// Backup is a parsed document. Align completes it.
type Backup struct {
	Mode        string // Push or Pull
	Incremental string // checkpoint to start from; "" for none
	Server      *Server
	Disks       []Disk
}

// Server is where a pull backup is exported.
type Server struct {
	Transport string // "tcp" or "unix"
	Name      string // host, of tcp
	Port      string // of tcp; "" if not given
	Socket    string // absolute path, of unix
	TLS       string // "yes", "no" or ""
}

// Disk is one disk of a backup.
type Disk struct {
	Name         string  // target
	Backup       bool    // takes part
	Mode         string  // Full, Incremental, or "" before Align
	Incremental  string  // checkpoint to start from
	ExportName   string  // pull
	ExportBitmap string  // pull
	Type         string  // "file", "block" or Network
	Path         string  // of target or scratch; "" before Align if not given; the URI of a network target
	Remote       *Remote // of a network target
	Format       string  // "" is qcow2
	Index        int     // output only: number of the target's nodes, 0 if none

	// extra are children of target or scratch that are kept for output.
	extra []*xmldoc.Node
}

// EncryptionSecret is the UUID or usage of the secret for an encrypted target, ""
// if it is not encrypted.
func (d *Disk) EncryptionSecret() string {
	for _, n := range d.extra {
		if n.Name == "encryption" {
			secret := n.First("secret")
			if secret == nil {
				return "unknown"
			}
			return secret.AttrOr("uuid", secret.AttrOr("usage", "unknown"))
		}
	}
	return ""
}

// Disk finds a disk by target; nil if there is none.
func (b *Backup) Disk(target string) *Disk {
	for i := range b.Disks {
		if b.Disks[i].Name == target {
			return &b.Disks[i]
		}
	}
	return nil
}

// Format is the document that BackupGetXMLDesc returns (virDomainBackupDefFormat).
func (b *Backup) Format() string {
	w := xmldoc.NewWriter()
	w.Open("domainbackup", "mode", b.Mode)
	w.Leaf("incremental", b.Incremental)
	if s := b.Server; s != nil {
		w.Empty("server", "transport", s.Transport, "tls", s.TLS, "name", s.Name, "port", s.Port, "socket", s.Socket)
	}
	if len(b.Disks) > 0 {
		w.Open("disks")
		for i := range b.Disks {
			b.formatDisk(w, &b.Disks[i])
		}
		w.Close("disks")
	}
	w.Close("domainbackup")
	return w.String()
}
