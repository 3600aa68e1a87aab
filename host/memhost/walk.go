package memhost

import "path"

// Content is the content of a file as processes last saw it.
type Content struct{ c *content }

// Size is in bytes.
func (c Content) Size() int64 { return c.c.size }

// Data passes the runs that are not holes, in order, in pieces of at most 64 KiB.
// The piece is valid during the call only. The first error ends it.
func (c Content) Data(visit func(off int64, p []byte) error) error {
	var buf [chunkSize]byte
	for off := int64(0); ; {
		start, end, ok := c.c.nextData(off)
		if !ok {
			return nil
		}
		off = min(end, start+chunkSize)
		p := buf[:off-start]
		c.c.read(p, start)
		if err := visit(start, p); err != nil {
			return err
		}
	}
}

// Walk passes every regular file beneath a directory with its path from there,
// sorted by name. It is for after the world, when nobody changes a file any more:
// it takes no lock. A directory that is not there has no files.
func (k *Kernel) Walk(dir string, visit func(name string, c Content) error) error {
	node, err := k.lookup(dir)
	if err != nil {
		return nil
	}
	return walk(node, "", visit)
}

func walk(dir *inode, above string, visit func(string, Content) error) (err error) {
	dir.entries.Scan(func(name string, n *inode) bool {
		name = path.Join(above, name)
		switch {
		case n.dir:
			err = walk(n, name, visit)
		case n.mode.IsRegular():
			err = visit(name, Content{&n.content})
		}
		return err == nil
	})
	return err
}
