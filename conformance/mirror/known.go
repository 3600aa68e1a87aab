package mirror

import (
	"fmt"
	"path"
	"time"

	"fleece/host"
	"fleece/sim"
)

// stage is where a session is replayed: what it found when it began, and what
// happened around it. Most follows from its messages and notes; the rest is here.
type stage struct {
	images []File
	// before are commands of an earlier machine, which then quit.
	before []string
	// filled says that the first disk was written all over.
	filled bool
	opts   sim.Options
	// acts are what other programs did before a command, given by its id, of which
	// no note tells.
	acts map[string]func(*act)
	// left are the exchanges that are not compared, by id of the command or #index,
	// with the reason.
	left map[string]string
}

const imageDir = "/var/lib/fleece/"

// sharesHost reports whether a recording found the files as the one before left them.
func sharesHost(before, after string) bool {
	switch before + " " + after {
	case "11 12", "12 13", "13 14":
		return true
	}
	return false
}

// stageOf sets the stage of a recording; on a host that an earlier one left, its
// files are there.
func stageOf(r *Recording, later bool) stage {
	s := stage{left: leftOut(r.number()), acts: map[string]func(*act){}}
	if !later {
		s.images = r.images()
	}
	s.opts.Crash = r.crash()
	for _, f := range s.images {
		s.before = append(s.before, f.commands()...)
	}
	s.timing(r.number())
	s.stage(r.number())
	return s
}

// timing says how long the recording host took for a chunk, where a session depends
// on it.
func (s *stage) timing(number string) {
	switch number {
	case "08":
		s.opts.ChunkTime = 5 * time.Millisecond
	case "26":
		s.opts.ChunkTime = 200 * time.Microsecond
	case "70":
		s.opts.ChunkTime = 100 * time.Microsecond
	}
}

// stage is what the recordings' client did outside of QMP, and did not note.
func (s *stage) stage(number string) {
	switch number {
	case "26":
		s.image(File{Path: imageDir + "big2.qcow2", Size: 16 << 20, Version: 3})
		s.before = []string{addSP, `qemu-io sp "write -P 1 0 16M"`}
		for _, id := range []string{"c-301", "c-601", "c-779", "c-803"} {
			s.acts[id] = func(a *act) { a.must(File{Path: imageDir + "big2.qcow2", Size: 16 << 20, Version: 3}.Make(a.h)) }
		}
	case "27":
		s.stage27()
	case "40":
		s.acts["c-12"] = func(a *act) {
			_, err := a.h.Listen(host.TCP, "127.0.0.1:45741")
			a.must(err)
		}
	case "70":
		for i := range 12 {
			clusters := [...]int64{65536, 512, 2 << 20, 0}
			s.acts[fmt.Sprintf("c-%d", 10+5*i)] = newTarget(clusters[i/3])
		}
	case "71":
		s.before = []string{
			addFile("base"), create("base", ""), addFormat("base", "null"), `qemu-io base "write -P 1 0 2M"`,
			addFile("top"), create("top", "base"), addFormat("top", `"base"`), `qemu-io top "write -P 2 1M 64k"`, `qemu-io top "write -z 2M 64k"`,
		}
		s.without("base.qcow2", "top.qcow2")
		s.acts["c-3"], s.acts["c-8"] = newTarget(65536), newTarget(65536)
	case "80":
		server := &nbdTarget{}
		s.acts["c-4"] = func(a *act) { server.start(a, "/run/fleece/t.sock", "tgt", 16<<20) }
		s.acts["c-10"] = func(*act) { server.stopped = true }
	case "83":
		s.without("ro.qcow2")
		s.before = []string{
			addFile("ro"), create("ro", ""), addFormat("ro", "null"),
			`block-dirty-bitmap-add {"node": "ro", "name": "c1", "persistent": true}`,
		}
	}
}

// image replaces what the session's messages tell of a file.
func (s *stage) image(i File) {
	s.without(path.Base(i.Path))
	s.images = append(s.images, i)
}

// without takes files out that something else makes.
func (s *stage) without(names ...string) {
	var kept []File
	for _, i := range s.images {
		known := false
		for _, n := range names {
			known = known || path.Base(i.Path) == n
		}
		if !known {
			kept = append(kept, i)
		}
	}
	s.images = kept
}

func (s *stage) stage27() {
	s.without("t.qcow2")
	s.before = []string{addSP, `qemu-io sp "write -P 1 0 16M"`}
	s.acts["c-2"] = func(a *act) {
		a.must(a.r.k.Mount(imageDir+"small", 3<<20))
		a.must(File{Path: imageDir + "small/t.qcow2", Size: 16 << 20, Version: 3}.Make(a.h))
	}
	s.acts["c-5"] = func(a *act) { a.must(a.r.k.SetCapacity(imageDir+"small", 64<<20)) }
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
	i := File{Path: imageDir + "tg.img", Size: 16 << 20, Cluster: cluster, Version: 3}
	if cluster == 0 {
		i.Version = 0
	}
	return func(a *act) { a.must(i.Make(a.h)) }
}

// leftOut are the exchanges of a recording that are not compared, by the client's id
// or #index, with the reason. Everything else must be equal.
func leftOut(number string) map[string]string {
	switch number {
	case "04":
		return map[string]string{"#11": "twenty commands in one piece, which the recording does not show; qmpfake's tests send them"}
	case "06":
		return map[string]string{"c-36": "a file of /proc, whose size cannot be asked for"}
	case "08":
		return map[string]string{"c-117": "the target's file grows while the first chunk is in flight; a chunk of the simulator lands at once"}
	case "26":
		const late = "timers of the recording host were late, so that the job ended 10 ms later"
		return map[string]string{"c-781": "the recording host had not finished a chunk after 5 ms", "c-775": late, "c-776": late}
	case "60":
		return map[string]string{"c-9": "blkdebug's pseudo file name has its rules in hash order"}
	}
	return nil
}
