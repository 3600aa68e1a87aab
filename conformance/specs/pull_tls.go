package specs

import (
	"strings"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func pullTLSSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "pull.rounds-over-tls",
			Title:        "three rounds of a pull, read by TLS with a certificate where one is asked for and without where none is, show the disk and what changed",
			Requirements: []string{"PUL-01", "PUL-04", "BEG-05", "I2", "I6", "I9"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         pullRoundsOverTLS,
		},
		{
			ID:           "pull.rounds-over-tls-by-default",
			Title:        "where no certificates are meant for backups the default ones are used: three rounds are read with them, and a client without one is shut out unless any may come",
			Requirements: []string{"PUL-01", "PUL-04", "BEG-05", "I2", "I6"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         pullRoundsOverTLSByDefault,
		},
		{
			ID:           "pull.tls-outlives-the-driver",
			Title:        "a driver that comes back in the middle of a pull by TLS knows the job; its end takes the credentials away, and the next pull by TLS works",
			Requirements: []string{"PUL-03", "JOB-01", "I2", "I12"},
			Needs:        []conformance.Feature{conformance.FeatureKillDriver},
			Body:         pullTLSOutlivesTheDriver,
		},
	}
}

// tlsServer is a <server> by TCP that asks for TLS.
const tlsServer = "<server transport='tcp' tls='yes' name='127.0.0.1'/>"

func pullRoundsOverTLS(t *conformance.T) {
	t.GiveCertificates()
	d := shapeDomain(t)
	d.Scribble("vdb", 3)
	t.Go("guest", func() { d.Scribble("vdb", 5) })
	over := func(server string) func() conformance.PullSpec {
		s := shape{server: server, names: true, bitmap: true, store: "made"}
		return func() conformance.PullSpec { return s.pull("") }
	}
	verified := strings.Replace(t.ServerHere(), "/>", " tls='yes'/>", 1)
	readAs(t, d, "client", "verified", over(verified))
	readAs(t, d, "client", "tcp", over(tlsServer))
	t.LetAnyClientIn()
	readAs(t, d, "", "any", over(tlsServer))
	t.Join()
	d.PowerOff()
}

func pullRoundsOverTLSByDefault(t *conformance.T) {
	t.ConfigureTLSByDefault()
	t.GiveCertificates()
	d := shapeDomain(t)
	d.Scribble("vdb", 3)
	t.Go("guest", func() { d.Scribble("vdb", 5) })
	s := shape{server: tlsServer, names: true, bitmap: true, store: "made"}
	next := func() conformance.PullSpec { return s.pull("") }
	p := d.BeginPull(conformance.PullSpec{Server: tlsServer, Disks: []conformance.PullDisk{{Target: "vdb"}}})
	_, err := p.DialTLS("")
	t.Expect(err).To(HaveOccurred(), "a client without a certificate")
	p.EndsWith(0, 1)
	readAs(t, d, "client", "verified", next)
	t.LetAnyClientIn()
	readAs(t, d, "", "any", next)
	t.Join()
	d.PowerOff()
}

// readAs is threeRounds for readers with the certificate of that name.
func readAs(t *conformance.T, d *conformance.Domain, certificate, name string, next func() conformance.PullSpec) {
	rounds(t, d, name, next, func(b *conformance.Pull) { b.ReadWith(certificate) })
}

func pullTLSOutlivesTheDriver(t *conformance.T) {
	t.GiveCertificates()
	d := shapeDomain(t)
	d.Scribble("vdb", 3)
	p := d.BeginPull(conformance.PullSpec{Server: tlsServer, Disks: []conformance.PullDisk{{Target: "vdb"}}})
	p.ReadWith("client")
	t.Go("guest", func() { d.Scribble("vdb", 3) })
	t.Pause(40)
	t.KillDriver()
	t.RestartDriver()
	t.Expect(d.JobIDs()).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_UNBOUNDED, ID: p.ID}}))
	p.ExpectExports()
	p.EndsWith(virt.DOMAIN_BACKUP_END_ABORT, 1)
	t.Join()
	p = d.BeginPull(conformance.PullSpec{Server: tlsServer, Disks: []conformance.PullDisk{{Target: "vdb"}}})
	p.ReadWith("client")
	p.ExpectExports()
	p.EndsWith(0, 1)
}
