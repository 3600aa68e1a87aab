package nbdnet_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fleece/nbd"
	"fleece/nbd/nbdnet"
)

// authority makes certificates as QEMU's and libnbd's directories want them.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

// issue gives a certificate and its key in PEM.
func (a *authority) issue(name string, use x509.ExtKeyUsage) (cert, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

func (a *authority) pair(name string, use x509.ExtKeyUsage) tls.Certificate {
	c, err := tls.X509KeyPair(a.issue(name, use))
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// directory is what --tls-certificates wants.
func (a *authority) directory(by *authority) string {
	dir := a.t.TempDir()
	cert, key := by.issue("client", x509.ExtKeyUsageClientAuth)
	for name, text := range map[string][]byte{"ca-cert.pem": a.pem, "client-cert.pem": cert, "client-key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return dir
}

// mutual is a server on loopback that wants clients' certificates of a.
func mutual(t *testing.T, a *authority) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := nbdnet.Listen(l, nbdnet.Options{Source: nbd.Exports{disk()}, TLS: nbd.TLSRequired, Certificates: &tls.Config{
		Certificates: []tls.Certificate{a.pair("localhost", x509.ExtKeyUsageServerAuth)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.pool(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.Addr().String()
}

func TestTLS_MutualServesOurClientWithTheRightCertificateOnly(t *testing.T) {
	a, other := newAuthority(t, "a"), newAuthority(t, "other")
	addr := mutual(t, a)
	for name, c := range map[string]struct {
		config *tls.Config
		ok     bool
	}{
		"right":    {&tls.Config{RootCAs: a.pool(), ServerName: "localhost", Certificates: []tls.Certificate{a.pair("c", x509.ExtKeyUsageClientAuth)}}, true},
		"none":     {&tls.Config{RootCAs: a.pool(), ServerName: "localhost"}, false},
		"wrong":    {&tls.Config{RootCAs: a.pool(), ServerName: "localhost", Certificates: []tls.Certificate{other.pair("c", x509.ExtKeyUsageClientAuth)}}, false},
		"server's": {&tls.Config{RootCAs: other.pool(), ServerName: "localhost", Certificates: []tls.Certificate{a.pair("c", x509.ExtKeyUsageClientAuth)}}, false},
	} {
		if err := readOver(addr, c.config); (err == nil) != c.ok {
			t.Errorf("%s certificate: %v", name, err)
		}
	}
}

func readOver(addr string, config *tls.Config) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	k, err := nbd.Connect(c)
	if err != nil {
		return err
	}
	if err := k.StartTLS(nbdnet.ClientTLS(config)); err != nil {
		return err
	}
	if _, err := k.Go("e"); err != nil {
		return err
	}
	_, err = k.ReadAt(make([]byte, size), 0)
	return err
}

func TestTLS_MutualServesNbdinfoAndNbdcopyWithTheRightCertificateOnly(t *testing.T) {
	a, other := newAuthority(t, "a"), newAuthority(t, "other")
	addr := mutual(t, a)
	uri := "nbds://localhost:" + addr[strings.LastIndex(addr, ":")+1:] + "/e?tls-certificates="
	right, wrong := a.directory(a), a.directory(other)
	if out := tool(t, "nbdinfo", uri+right); !strings.Contains(out, "export-size: 8390144") || !strings.Contains(out, "TLS") {
		t.Error(out)
	}
	copied := filepath.Join(t.TempDir(), "copied")
	tool(t, "nbdcopy", uri+right, copied)
	if got, err := os.ReadFile(copied); err != nil || string(got) != string(disk().Content()) {
		t.Errorf("the copy differs (%v)", err)
	}
	if out, err := exec.Command("nbdinfo", uri+wrong).CombinedOutput(); err == nil {
		t.Errorf("a wrong certificate was served:\n%s", out)
	}
	if out, err := exec.Command("nbdinfo", strings.Replace(strings.SplitN(uri, "?", 2)[0], "nbds", "nbd", 1)).CombinedOutput(); err == nil {
		t.Errorf("a client without TLS was served:\n%s", out)
	}
}

func TestTLS_MutualServesQemuImg(t *testing.T) {
	a, other := newAuthority(t, "a"), newAuthority(t, "other")
	addr := mutual(t, a)
	image := "driver=nbd,host=localhost,port=" + addr[strings.LastIndex(addr, ":")+1:] + ",export=e,tls-creds=t"
	object := func(dir string) string { return "tls-creds-x509,id=t,endpoint=client,dir=" + dir }
	if out := tool(t, "qemu-img", "info", "--object", object(a.directory(a)), "--image-opts", image); !strings.Contains(out, "8390144 bytes") {
		t.Error(out)
	}
	if out, err := exec.Command("qemu-img", "info", "--object", object(a.directory(other)), "--image-opts", image).CombinedOutput(); err == nil {
		t.Errorf("a wrong certificate was served:\n%s", out)
	}
}
