package conformance

import (
	"crypto/tls"
	"crypto/x509"
	"embed"
	"errors"
	"net"
	"path"
	"syscall"
	"time"

	"fleece/nbd"
)

// certificates are an authority's, a server's and a client's, and those of a stranger
// with an authority of its own. They are valid from 1990 to 2190, for localhost.
//
//go:embed certificates
var certificates embed.FS

func (t *T) certificate(name string) []byte {
	text, err := certificates.ReadFile("certificates/" + name)
	t.must(err, "read the certificate "+name)
	return text
}

// tlsDir is where the driver under test finds its certificates.
func (t *T) tlsDir() string { return t.Path("tls") }

// GiveCertificates puts the server's certificates where the driver is configured to
// look for them.
func (t *T) GiveCertificates() {
	t.must(t.host.Mkdir(t.tlsDir(), 0o755), "make the directory of certificates")
	t.Keeps(t.tlsDir())
	for _, name := range []string{"ca-cert.pem", "server-cert.pem", "server-key.pem"} {
		t.WriteFile(path.Join(t.tlsDir(), name), t.certificate(name))
	}
}

// DialTLS connects to the server of the backup and does the handshake of TLS with the
// certificate of that name: "client", "stranger" or "" for none. With TLS 1.3 a
// server's refusal shows at the first answer, so an export is asked for.
func (p *Pull) DialTLS(name string) (*nbd.Client, error) {
	t := p.d.t
	k, err := p.dialInTheClear()
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(t.certificate("ca-cert.pem"))
	config := &tls.Config{RootCAs: roots, ServerName: "localhost", Time: t.Now, MinVersion: tls.VersionTLS12}
	if name != "" {
		pair, err := tls.X509KeyPair(t.certificate(name+"-cert.pem"), t.certificate(name+"-key.pem"))
		t.must(err, "load the certificate "+name)
		config.Certificates = []tls.Certificate{pair}
	}
	err = k.StartTLS(func(c nbd.Conn) (nbd.Conn, error) {
		s := tls.Client(streamConn{c}, config)
		return tlsConn{s}, s.Handshake()
	})
	if err == nil {
		_, err = k.List()
	}
	if err != nil {
		closeQuietly(k)
		return nil, err
	}
	return k, nil
}

// tlsConn is a connection of TLS that may be closed when the other side already has:
// a server of NBD hangs up as soon as it is told that the client leaves.
type tlsConn struct{ *tls.Conn }

// Close says goodbye, and does not mind if nobody hears it.
func (c tlsConn) Close() error {
	err := c.Conn.Close()
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// streamConn is a stream as package tls wants it.
type streamConn struct{ nbd.Conn }

func (streamConn) LocalAddr() net.Addr              { return nil }
func (streamConn) RemoteAddr() net.Addr             { return nil }
func (streamConn) SetDeadline(time.Time) error      { return nil }
func (streamConn) SetReadDeadline(time.Time) error  { return nil }
func (streamConn) SetWriteDeadline(time.Time) error { return nil }
