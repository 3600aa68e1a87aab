package sim_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fleece/host"
	"fleece/nbd"
	"fleece/nbd/nbdtest"
	"fleece/qmp"
	"fleece/rt"
	"fleece/sim"
)

// recordings are the sessions that the simulator must repeat.
var recordings = []struct {
	numbers string // one, or several that continue each other on one host
	// chunk says how long the recording host took for a chunk, where the
	// session depends on it.
	chunk time.Duration
	// size of the images, and whether the first disk was written all over
	// before the session began; the default is 16 MiB, empty.
	size   int64
	filled bool
	acts   map[string]func(*act)
	crash  sim.Crash
	// images that are other than imagesOf says, and what was done with them
	// before the machine of the recording began.
	images []image
	before []string
}{
	{numbers: "01"},
	{numbers: "02"},
	{numbers: "03"},
	{numbers: "04"},
	{numbers: "05"},
	{numbers: "06"},
	{numbers: "07"},
	{numbers: "08", chunk: 5 * time.Millisecond},
	{numbers: "10"},
	{numbers: "11 12 13 14"},
	{numbers: "15"},
	{numbers: "16"},
	{numbers: "17"},
	{numbers: "18"},
	{numbers: "19", size: 4 << 20, filled: true},
	{numbers: "20", size: 4 << 20},
	{numbers: "21", size: 4 << 20, filled: true},
	{numbers: "22", size: 4 << 20, filled: true},
	{numbers: "26", chunk: 200 * time.Microsecond, images: []image{{name: "big2.qcow2", size: 16 << 20, version: 3}}, before: []string{addSP, `qemu-io sp "write -P 1 0 16M"`}},
	{
		numbers: "27", before: []string{addSP, `qemu-io sp "write -P 1 0 16M"`},
		acts: map[string]func(*act){
			"c-2": func(a *act) {
				a.must(a.k.Mount(imageDir+"small", 3<<20))
				makeImages(a.t, a.h, []image{{name: "small/t.qcow2", size: 16 << 20, version: 3}})
			},
			"c-5": func(a *act) { a.must(a.k.SetCapacity(imageDir+"small", 64<<20)) },
		},
	},
	{numbers: "30"},
	{numbers: "32+33"},
	{numbers: "34"},
	{numbers: "35"},
	{numbers: "36"},
	{numbers: "40", acts: map[string]func(*act){"c-12": func(a *act) {
		_, err := a.h.Listen(host.TCP, "127.0.0.1:45741")
		a.must(err)
	}}},
	{numbers: "41", acts: clientsOf41()},
	{numbers: "42", acts: map[string]func(*act){"c-4": func(a *act) { a.connect() }}, crash: sim.CrashDies},
	{numbers: "50"},
	{numbers: "51"},
	{numbers: "52"},
	{numbers: "54"},
	{numbers: "60"},
	{numbers: "70", chunk: 100 * time.Microsecond, acts: map[string]func(*act){
		"c-10": newTarget(65536), "c-15": newTarget(65536), "c-20": newTarget(65536),
		"c-25": newTarget(512), "c-30": newTarget(512), "c-35": newTarget(512),
		"c-40": newTarget(2 << 20), "c-45": newTarget(2 << 20), "c-50": newTarget(2 << 20),
		"c-55": newTarget(0), "c-60": newTarget(0), "c-65": newTarget(0),
	}},
	{
		numbers: "71",
		before: []string{
			addFile("base"), create("base", ""), addFormat("base", "null"), `qemu-io base "write -P 1 0 2M"`,
			addFile("top"), create("top", "base"), addFormat("top", `"base"`), `qemu-io top "write -P 2 1M 64k"`, `qemu-io top "write -z 2M 64k"`,
		},
		acts: map[string]func(*act){"c-3": newTarget(65536), "c-8": newTarget(65536)},
	},
	{numbers: "80", acts: serverOf80()},
	{numbers: "81"},
	{
		numbers: "83",
		before: []string{
			addFile("ro"), create("ro", ""), addFormat("ro", "null"),
			`block-dirty-bitmap-add {"node": "ro", "name": "c1", "persistent": true}`,
		},
	},
	{numbers: "84"},
	{numbers: "90", crash: sim.CrashDies},
}

// outOfReach are the commands of these sessions that are left out, by the client's
// id, with the reason. Everything else must be equal.
var outOfReach = map[string]map[string]string{
	"04": {
		"#11": "twenty commands in one piece, which the recording does not show; qmpfake's tests send them",
	},
	"26": {
		"c-781": "the recording host had not finished a chunk after 5 ms",
		"c-775": "timers of the recording host were late, so that the job ended 10 ms later",
		"c-776": "timers of the recording host were late, so that the job ended 10 ms later",
	},
	"06": {
		"c-36": "a file of /proc, whose size cannot be asked for",
	},
	"10": {},
	"08": {
		"c-117": "the target's file grows while the first chunk is in flight; a chunk of the simulator lands at once",
	},
}

func TestRecordings_AreRepeatedLineByLine(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range recordings {
		size := c.size
		if size == 0 {
			size = 16 << 20
		}
		s := stage{
			images: append(imagesOf(size), c.images...), before: c.before, acts: c.acts,
			opts: sim.Options{Schema: schema, ChunkTime: c.chunk, Crash: c.crash},
		}
		if c.filled {
			s.begin = func(a *act) { a.must(a.m.GuestWrite("virtio-disk0", 0, bytes.Repeat([]byte{1}, int(size)))) }
		}
		if numbers := strings.Fields(c.numbers); len(numbers) > 1 {
			t.Run(c.numbers, func(t *testing.T) { inReplayer(t, func(r *replayer) { r.chain(numbers, s) }) })
			continue
		}
		if first, second, ok := strings.Cut(c.numbers, "+"); ok {
			t.Run(c.numbers, func(t *testing.T) {
				rec := readRecording(t, recordingNames(t, first)[0], recordingNames(t, second)[0])
				inReplayer(t, func(r *replayer) { compare(t, rec, r.run(rec, s), outOfReach[c.numbers]) })
			})
			continue
		}
		for _, name := range recordingNames(t, c.numbers) {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) {
				rec := readRecording(t, name)
				inReplayer(t, func(r *replayer) { compare(t, rec, r.run(rec, s), outOfReach[c.numbers]) })
			})
		}
	}
}

func recordingNames(t *testing.T, number string) []string {
	names, _ := filepath.Glob("../fixtures/transcripts/" + number + "-*.jsonl")
	if len(names) == 0 {
		t.Fatalf("no recording has the number %s", number)
	}
	return names
}

// chain replays recordings that continue each other.
func (r *replayer) chain(numbers []string, s stage) {
	for _, number := range numbers {
		rec := readRecording(r.t, recordingNames(r.t, number)[0])
		r.t.Logf("recording %s", number)
		compare(r.t, rec, r.run(rec, s), outOfReach[number])
		s.images = nil
	}
}

// The sessions in testdata were recorded with QEMU 7.2.22 too: random commands on two
// disks, two targets and two job ids, and by hand what a group of commands does, its
// errors included: the graph's drivers, transactions, mirror, commit and stream, devices,
// objects, migration.
func TestSessions_AreRepeatedLineByLine(t *testing.T) {
	schema, err := qmp.LoadSchema()
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("testdata/sessions/*.jsonl")
	if err != nil || len(names) == 0 {
		t.Fatal("no sessions: ", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) {
			rec := readRecording(t, name)
			s := stage{images: imagesOf(16 << 20), opts: sim.Options{Schema: schema}}
			inReplayer(t, func(r *replayer) { compare(t, rec, r.run(rec, s), nil) })
		})
	}
}

// imagesOf are the files that the recording client made with qemu-img before it used
// them; the recordings tell size and cluster size in their answers.
func imagesOf(size int64) []image {
	return []image{
		{name: "disk1.qcow2", size: size, version: 3}, {name: "disk2.qcow2", size: size, version: 3},
		{name: "big2.qcow2", size: 64 << 20, version: 3},
		{name: "full1.qcow2", format: "raw"}, {name: "full2.qcow2", format: "raw"},
		{name: "raw.img", size: 16 << 20, format: "raw"},
		{name: "snap1.qcow2", format: "raw"}, {name: "snap2.qcow2", format: "raw"}, {name: "incs.qcow2", format: "raw"},
		{name: "t1.qcow2", size: size, version: 3}, {name: "t2.qcow2", size: 16 << 20, version: 3},
		{name: "bt.qcow2", size: 16 << 20, version: 3},
		{name: "small.qcow2", size: 8 << 20, version: 3}, {name: "big.qcow2", size: 32 << 20, version: 3},
		{name: "odd.qcow2", size: 66048, version: 3},
		{name: "v2.qcow2", size: 16 << 20, version: 2}, {name: "huge.qcow2", size: 1 << 52, cluster: 2 << 20, version: 3},
		{name: "c512.qcow2", size: 16 << 20, cluster: 512, version: 3},
		{name: "c4096.qcow2", size: 16 << 20, cluster: 4096, version: 3},
		{name: "c65536.qcow2", size: 16 << 20, cluster: 65536, version: 3},
		{name: "c2097152.qcow2", size: 16 << 20, cluster: 2 << 20, version: 3},
		{name: "o1.qcow2", size: 16 << 20, version: 3},
		{name: "per.qcow2", size: 16 << 20, version: 3}, {name: "sp.qcow2", size: 16 << 20, version: 3},
		{name: "x1.qcow2", size: 16 << 20, version: 3}, {name: "notq.img", size: 1 << 20, format: "raw"},
		{name: "ov1.qcow2", size: 16 << 20, version: 3}, {name: "ov2.qcow2", size: 16 << 20, version: 3},
		{name: "scr1.qcow2", format: "raw"}, {name: "scr2.qcow2", format: "raw"},
		{name: "ovb.qcow2", size: 16 << 20, version: 3},
		{name: "d1.qcow2", size: 16 << 20, version: 3}, {name: "d2.qcow2", size: 16 << 20, version: 3},
		{name: "base.q", size: 16 << 20, version: 3}, {name: "o2.qcow2", size: 16 << 20, version: 3},
		{name: "t3.qcow2", size: 8 << 20, version: 3}, {name: "r1.raw", size: 16 << 20, format: "raw"},
	}
}

// What a machine before the recording's did with images.

const addSP = `blockdev-add {"driver": "qcow2", "node-name": "sp", "file": {"driver": "file", "filename": "/var/lib/fleece/sp.qcow2"}}`

func addFile(name string) string {
	return `blockdev-create {"job-id": "f` + name + `", "options": {"driver": "file", "filename": "` + imageDir + name + `.qcow2", "size": 0}}`
}

func create(name, backing string) string {
	more := ""
	if backing != "" {
		more = `, "backing-fmt": "qcow2", "backing-file": "` + imageDir + backing + `.qcow2"`
	}
	return `blockdev-create {"job-id": "c` + name + `", "options": {"driver": "qcow2", "size": 16777216` + more +
		`, "file": {"driver": "file", "filename": "` + imageDir + name + `.qcow2"}}}`
}

func addFormat(name, backing string) string {
	return `blockdev-add {"driver": "qcow2", "node-name": "` + name + `", "backing": ` + backing +
		`, "file": {"driver": "file", "filename": "` + imageDir + name + `.qcow2"}}`
}

// newTarget makes the target anew; cluster 0 is a plain file.
func newTarget(cluster int64) func(*act) {
	i := image{name: "tg.img", size: 16 << 20, cluster: cluster, version: 3}
	if cluster == 0 {
		i.format = "raw"
	}
	return func(a *act) { makeImages(a.t, a.h, []image{i}) }
}

const nbdSocket = "/run/fleece/n.sock"

// connect opens an NBD session, handshake only.
func (a *act) connect() *nbd.Client {
	conn, err := a.h.Dial(host.Unix, nbdSocket)
	a.must(err)
	c, err := nbd.Connect(conn)
	a.must(err)
	a.p.Sleep(time.Microsecond)
	return c
}

// clientsOf41 are the NBD clients of recording 41.
func clientsOf41() map[string]func(*act) {
	var client *nbd.Client
	return map[string]func(*act){
		"c-4": func(a *act) { open(a, a.connect(), "vda") },
		"c-10": func(a *act) {
			_, err := a.connect().Info("vda")
			a.must(err)
		},
		"c-12": func(a *act) {
			client = a.connect()
			open(a, client, "vda")
			a.must(client.Disconnect())
		},
		"c-34": func(a *act) { open(a, a.connect(), "vda") },
		"c-41": func(a *act) {
			conn, err := a.h.Dial(host.Unix, nbdSocket)
			a.must(err)
			c, err := nbd.Connect(conn)
			a.must(err)
			open(a, c, "thr")
			for cookie := range byte(4) { // the client has one request in flight, the recorded one had four
				read := []byte{0x25, 0x60, 0x95, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, cookie, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0}
				_, err := conn.Write(read)
				a.must(err)
			}
			a.p.Sleep(time.Millisecond)
		},
	}
}

func open(a *act, c *nbd.Client, name string) {
	_, err := c.Go(name)
	a.must(err)
	a.p.Sleep(time.Microsecond)
}

// slowDisk is a disk whose server stops to answer.
type slowDisk struct {
	*nbdtest.Disk
	p       rt.Process
	stopped bool
}

func (d *slowDisk) WriteAt(p []byte, off int64) error {
	for d.stopped {
		d.p.Sleep(time.Second)
	}
	return d.Disk.WriteAt(p, off)
}

// serverOf80 is the NBD server that recording 80 backs up to; it hangs and is killed
// during the second backup.
func serverOf80() map[string]func(*act) {
	disk := &slowDisk{}
	return map[string]func(*act){
		"c-4": func(a *act) {
			disk.Disk, disk.p = nbdtest.New("tgt", 16<<20), a.p
			disk.Writable = true
			l, err := a.h.Listen(host.Unix, "/run/fleece/t.sock")
			a.must(err)
			a.p.Go("server", func() { serveDisk(l, disk, a) })
		},
		"c-10": func(*act) { disk.stopped = true },
	}
}

func serveDisk(l host.Listener, disk *slowDisk, a *act) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		session := (&nbd.Server{Source: nbd.Exports{disk}}).NewSession(conn)
		if e, err := session.Negotiate(); err != nil || e == nil {
			_ = conn.Close()
			continue
		}
		a.p.Go("killer", func() {
			for !disk.stopped {
				a.p.Sleep(time.Millisecond)
			}
			a.p.Sleep(1500 * time.Millisecond)
			_ = conn.Close()
		})
		a.p.Go("client", func() { _ = session.Transmit() })
	}
}
