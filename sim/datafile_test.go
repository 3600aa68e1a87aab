package sim

import (
	"bytes"
	"testing"

	"fleece/host"
	"fleece/qcow2"
)

// overDataFile starts the machine again over an empty disk that has a data file.
func (b *bench) overDataFile(size int64, raw bool) {
	b.quit()
	b.writeOverDataFile("disk", &qcow2.Image{Size: size, DataFileRaw: raw})
	b.data = true
	b.boot()
}

// imageOverDataFile makes an empty image /img/NAME.qcow2 whose content is in /img/NAME.raw.
func (b *bench) imageOverDataFile(name string, size int64) {
	b.must(b.host().Remove(dir + "/" + name + ".qcow2"))
	b.writeOverDataFile(name, &qcow2.Image{Size: size})
}

func (b *bench) writeOverDataFile(name string, img *qcow2.Image) {
	img.DataFile = dir + "/" + name + ".raw"
	if img.DataFileRaw {
		img.Runs = []qcow2.Run{{Length: img.Size}}
	}
	var files [2]host.File
	for i, ext := range [2]string{".qcow2", ".raw"} {
		f, err := b.host().OpenFile(dir+"/"+name+ext, host.ReadWrite|host.Create|host.Truncate, 0o600)
		b.must(err)
		files[i] = f
	}
	img.DataTo = files[1]
	_, err := qcow2.Write(files[0], img)
	b.must(err)
	for _, f := range files {
		b.must(f.Close())
	}
}

// expectFiles compares the files of a machine that is gone with the disk.
func (b *bench) expectFiles(disk []byte, raw bool) {
	image, err := host.ReadFile(b.host(), dir+"/disk.qcow2", 1<<30)
	b.must(err)
	data, err := host.ReadFile(b.host(), dir+"/disk.raw", 1<<30)
	b.must(err)
	if report, err := qcow2.Check(bytes.NewReader(image), int64(len(image))); err != nil || !report.Clean() {
		b.t.Errorf("check: %v %+v", err, report)
	}
	r, err := qcow2.Open(bytes.NewReader(image), int64(len(image)), qcow2.Options{Data: bytes.NewReader(data)})
	b.must(err)
	got := make([]byte, len(disk))
	_, err = r.ReadAt(got, 0)
	b.must(err)
	if !bytes.Equal(got, disk) {
		b.t.Errorf("the image with its data file is not the disk")
	}
	if raw && !bytes.Equal(data[:len(disk)], disk) {
		b.t.Errorf("the data file alone is not the disk")
	}
}

// As with any image: what was there before is overwritten in place, and what was newly
// allocated is lost with the table that says so.
func TestImages_WithADataFileSurviveAKillAsOthersDo(t *testing.T) {
	inWorld(t, 4<<20, nil, func(b *bench) {
		b.overDataFile(4<<20, false)
		b.must(b.m.GuestWrite("disk", 0, bytes.Repeat([]byte{1}, 65536)))
		b.must(b.m.GuestFlush("disk"))
		b.must(b.m.GuestWrite("disk", 0, []byte{2}))
		b.must(b.m.GuestWrite("disk", 1<<20, []byte{3}))
		b.p.Kill()
		want := make([]byte, 4<<20)
		copy(want, bytes.Repeat([]byte{1}, 65536))
		want[0] = 2
		b.expectFiles(want, false)
		b.boot()
		if !bytes.Equal(b.content("d"), want) {
			t.Error("the machine reads something else")
		}
	})
}

// The node of a data file does not pass on what only the image's node may drop.
func TestImages_KeepWhatIsDiscardedInARawDataFileThatMayNotUnmap(t *testing.T) {
	inWorld(t, 1<<20, nil, func(b *bench) {
		b.overDataFile(1<<20, true)
		b.in("look", func() { b.m.node("dd").unmap = false })
		b.must(b.m.GuestWrite("disk", 0, bytes.Repeat([]byte{1}, 2*65536)))
		b.must(b.m.GuestDiscard("disk", 0, 65536))
		expect(t, "the disk", b.content("d")[0], byte(0))
		b.must(b.m.GuestDiscard("disk", 65536, 65536))
		want := make([]byte, 1<<20)
		want[65536] = 2 // written over what was discarded: the rest of the cluster must not show through
		b.must(b.m.GuestWrite("disk", 65536, []byte{2}))
		b.quit()
		b.expectFiles(want, false)
		data, err := host.ReadFile(b.host(), dir+"/disk.raw", 1<<20)
		b.must(err)
		expect(t, "the data file", data[0], byte(1))
	})
}
