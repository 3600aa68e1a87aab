package specs

import (
	"time"

	. "github.com/onsi/gomega"

	"fleece/conformance"
	"fleece/virt"
)

func pullHandshakeSpecs() []conformance.Spec {
	return []conformance.Spec{
		{
			ID:           "pull.half-open-client",
			Title:        "a client that connects and asks for nothing holds End up until QEMU drops it, and nothing else: QEMU goes on to serve its monitor",
			Requirements: []string{"PUL-03", "END-04", "I15"},
			Body:         pullHalfOpenClient,
		},
	}
}

// pullHalfOpenClient: real QEMU never answers nbd-server-stop while a client is in its
// handshake, and then serves no monitor any more (§11). It drops such a client after 10 s.
func pullHalfOpenClient(t *conformance.T) {
	d := pullDomain(t)
	d.Scribble("vda", 3)
	p := d.BeginPull(conformance.PullSpec{Server: t.ServerHere()})
	idle, err := p.Dial()
	t.Expect(err).NotTo(HaveOccurred())
	reader := p.Open("vda")
	ended := false
	t.Go("end", func() {
		ret, err := d.BackupEnd(p.ID, 0)
		t.Expect(err).NotTo(HaveOccurred(), "BackupEnd")
		t.Expect(ret).To(Equal(1))
		ended = true
	})
	t.Poll("the export to be taken away", 5*time.Millisecond, func() bool {
		_, err := reader.ReadAt(make([]byte, 512), 0)
		return conformance.WasCut(err)
	})
	t.Expect(ended).To(BeFalse(), "End returned while a client was in its handshake")
	// Meanwhile others are served, and soon nobody else gets in.
	t.Expect(d.JobIDs()).To(Equal([]virt.DomainJobID{{Type: virt.DOMAIN_JOB_UNBOUNDED, ID: p.ID}}))
	d.Write("vda", 0, 4096)
	t.Poll("the door to be shut", 5*time.Millisecond, func() bool {
		c, err := p.Dial()
		if err == nil {
			t.Expect(c.Close()).To(Succeed())
		}
		return err != nil
	})
	t.Join()
	_, err = idle.Go("vda")
	t.Expect(err).To(HaveOccurred(), "the idle client was served")
	p.ExpectReleased()
}
