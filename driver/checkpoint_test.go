package driver_test

import (
	"fmt"
	"strings"
	"testing"

	"fleece/virt"
)

func (w *world) checkpoint(name string) *virt.Checkpoint {
	c, err := w.dom.CreateCheckpointXML(virt.XML("<domaincheckpoint><name>"+name+"</name></domaincheckpoint>"), 0)
	w.must(err)
	return c
}

func (w *world) names() string {
	list, err := w.dom.ListAllCheckpoints(virt.DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
	w.must(err)
	var names []string
	for _, c := range list {
		name, err := c.GetName()
		w.must(err)
		if parent, err := c.GetParent(0); err == nil {
			above, _ := parent.GetName()
			name += "<" + above
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func (w *world) guestWrite(device string, off int64, length int) {
	m := w.hv.Machine("vm")
	var failure error
	w.must(m.Process().Call("guest", func() { failure = m.Sim().GuestWrite(device, off, make([]byte, length)) }))
	w.must(failure)
}

func TestDelete_RemovesBitmapsAndMovesChildrenUp(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.checkpoint("a")
		b := w.checkpoint("b")
		w.checkpoint("c")
		w.check(w.names() == "a b<a c<b", "tree %s", w.names())
		w.must(b.Delete(0))
		w.check(w.names() == "a c<a", "tree %s", w.names())
		err := b.Delete(0)
		w.check(isCode(err, virt.ERR_NO_DOMAIN_CHECKPOINT, "no domain checkpoint with matching name 'b'"), "E225: %v", err)
		w.p.Kill()
		w.restart()
		w.check(w.names() == "a c<a", "after a restart %s", w.names())
		a, err := w.dom.CheckpointLookupByName(virt.XML("a"), 0)
		w.must(err)
		w.must(a.Delete(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY))
		w.check(w.names() == "a", "tree %s", w.names())
		w.nothingLeft("a")
		w.must(a.Delete(virt.DOMAIN_CHECKPOINT_DELETE_CHILDREN))
		w.check(w.names() == "", "tree %s", w.names())
		w.nothingLeft("")
	})
}

func TestDelete_MetadataOnlyKeepsTheBitmapAndRedefineBringsItBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		a := w.checkpoint("a")
		xml, err := a.GetXMLDesc(0)
		w.must(err)
		w.must(a.Delete(virt.DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY))
		w.check(w.names() == "", "tree %s", w.names())
		redefine := virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE | virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE
		_, err = w.dom.CreateCheckpointXML(virt.XML(strings.ReplaceAll(strings.ReplaceAll(xml, "<name>a<", "<name>z<"), "'a'", "'z'")), redefine)
		w.check(isCode(err, virt.ERR_CHECKPOINT_INCONSISTENT, "missing or broken bitmap 'z' for disk 'vda'"), "E222: %v", err)
		_, err = w.dom.CreateCheckpointXML(virt.XML(xml), redefine)
		w.must(err)
		w.check(w.names() == "a", "tree %s", w.names())
		again, err := w.dom.CheckpointLookupByName(virt.XML("a"), 0)
		w.must(err)
		text, err := again.GetXMLDesc(0)
		w.must(err)
		w.check(text == xml, "redefined it is\n%s\nnot\n%s", text, xml)
		_, err = w.dom.BackupBegin(virt.XML("<domainbackup><incremental>a</incremental></domainbackup>"), nil, 0)
		w.must(err)
	})
}

func TestRedefine_RefusesWithLibvirtsCodes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		w.checkpoint("a")
		doc := func(s string) *string {
			return virt.XML("<domaincheckpoint><creationTime>1</creationTime>" + s + "</domaincheckpoint>")
		}
		const otherDomain = "<domain><name>vm</name><uuid>22222222-2222-3333-4444-555555555555</uuid><memory>1</memory><os><type>hvm</type></os></domain>"
		for _, c := range []struct{ id, xml, text string }{
			{"E217", "<name>x</name><parent><name>x</name></parent>", "cannot set moment x as its own parent"},
			{"E218", "<name>x</name><parent><name>gone</name></parent>", "parent gone for moment x not found"},
			{"E220", "<name>x</name>" + otherDomain, "definition for checkpoint x must use uuid 11111111-2222-3333-4444-555555555555"},
		} {
			_, err := w.dom.CreateCheckpointXML(doc(c.xml), virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE)
			w.check(isCode(err, virt.ERR_INVALID_ARG, c.text), "%s: %v", c.id, err)
		}
		_, err := w.dom.CreateCheckpointXML(doc("<name>x</name><disks><disk name='/i/b'/></disks>"), virt.DOMAIN_CHECKPOINT_CREATE_REDEFINE)
		w.must(err)
		x, err := w.dom.CheckpointLookupByName(virt.XML("x"), 0)
		w.must(err)
		text, err := x.GetXMLDesc(0)
		w.must(err)
		w.check(strings.Contains(text, "<disk name='vdb' checkpoint='bitmap' bitmap='x'/>"), "got\n%s", text)
	})
}

func TestSize_IsWhatWasWrittenSince(t *testing.T) {
	inWorld(t, func(w *world) {
		w.boot()
		a := w.checkpoint("a")
		w.guestWrite("virtio-disk0", 0, 65536)
		w.guestWrite("virtio-disk0", 2<<20, 100)
		text, err := a.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SIZE | virt.DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
		w.must(err)
		for _, want := range []string{"<disk name='vda' checkpoint='bitmap' bitmap='a' size='131072'/>", "<disk name='vdb' checkpoint='bitmap' bitmap='a' size='0'/>"} {
			w.check(strings.Contains(text, want), "got\n%s", text)
		}
		w.nothingLeft("a")
		w.must(w.dom.Destroy())
		_, err = a.GetXMLDesc(virt.DOMAIN_CHECKPOINT_XML_SIZE)
		w.check(isCode(err, virt.ERR_OPERATION_INVALID, "domain is not running"), "E227: %v", err)
		err = a.Delete(0)
		w.check(isCode(err, virt.ERR_OPERATION_UNSUPPORTED, "cannot delete checkpoint for inactive domain"), "E229: %v", err)
	})
}

// TestDelete_CanBeRepeatedWhateverFails fails commands and file operations of a
// Delete in turn; it may be called again and then succeeds.
func TestDelete_CanBeRepeatedWhateverFails(t *testing.T) {
	for n := 1; n <= anomaliesMax; n++ {
		done := false
		inWorld(t, func(w *world) {
			w.boot()
			b := w.checkpoint("b")
			w.checkpoint("c")
			seen := 0
			w.onCommand = func(string) string {
				if seen++; seen == n {
					return fmt.Sprintf("anomaly %d", n)
				}
				return ""
			}
			fault := w.failDriver(n, 5)
			err := b.Delete(0)
			fired := fault() > 0 || seen >= n
			w.onCommand = nil
			done = !fired
			if err != nil {
				w.must(b.Delete(0))
			}
			w.check(w.names() == "c", "tree %s", w.names())
			w.nothingLeft("c")
		})
		if done {
			return
		}
	}
	t.Fatal("Delete never succeeds")
}
