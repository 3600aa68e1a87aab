package sim

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"path"
	"time"

	"fleece/host"
	"fleece/nbd"
	"fleece/qmp"
)

// credentialBytesMax bounds a file of a credentials directory.
const credentialBytesMax = 1 << 20

// loadCredentials reads the directory of a tls-creds-x509 object, as QEMU does when the
// object is made; the texts are the real binary's (docs/qemu-findings.md). Only a
// server's are used here.
func (m *Machine) loadCredentials(a qmp.Value, endpoint string) (*tls.Config, *qmp.ReplyError) {
	dir, ok := a.Get("dir").Text()
	if !ok {
		return nil, qmp.Generic("Missing 'dir' property value")
	}
	ca, err := m.credential(dir, "ca-cert.pem")
	if err != nil || endpoint != "server" {
		return nil, err
	}
	cert, err := m.credential(dir, "server-cert.pem")
	if err != nil {
		return nil, err
	}
	key, err := m.credential(dir, "server-key.pem")
	if err != nil {
		return nil, err
	}
	pair, broken := tls.X509KeyPair(cert, key)
	if broken != nil {
		return nil, qmp.Generic("Unable to import server certificate " + path.Join(dir, "server-cert.pem") + ": Base64 unexpected header error.")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, qmp.Generic("Unable to import CA certificate " + path.Join(dir, "ca-cert.pem") + ": Base64 unexpected header error.")
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, Time: m.p.Now, MinVersion: tls.VersionTLS12}
	if v := a.Get("verify-peer"); !v.Present() || v.IsTrue() {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

func (m *Machine) credential(dir, name string) ([]byte, *qmp.ReplyError) {
	p := path.Join(dir, name)
	text, err := host.ReadFile(m.host, p, credentialBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, qmp.Generic("Unable to access credentials " + p + ": No such file or directory")
	}
	if err != nil {
		return nil, ioError("Unable to access credentials "+p, err)
	}
	return text, nil
}

// upgrade is the server's handshake with a client of the NBD server.
func upgrade(config *tls.Config) func(nbd.Conn) (nbd.Conn, error) {
	return func(c nbd.Conn) (nbd.Conn, error) {
		t := tls.Server(netConn{c}, config)
		return t, t.Handshake()
	}
}

// netConn is a stream as package tls wants it: without addresses and deadlines, which
// are the owner's.
type netConn struct{ nbd.Conn }

func (netConn) LocalAddr() net.Addr              { return nil }
func (netConn) RemoteAddr() net.Addr             { return nil }
func (netConn) SetDeadline(time.Time) error      { return nil }
func (netConn) SetReadDeadline(time.Time) error  { return nil }
func (netConn) SetWriteDeadline(time.Time) error { return nil }
