package lanes

import (
	"encoding/binary"
	"os"
	"strings"
)

// Where a qcow2 header tells the name of the data file: in an extension.
const (
	extensionsMax      = 4096 // bytes of the file that are looked at
	headerLengthOffset = 100
	dataFileExtension  = 0x44415441
)

// relocateData makes the name of a data file beneath dir a relative one. It stays as long
// as it was, since other extensions are behind it: slashes fill the place.
func relocateData(f *os.File, dir string) error {
	p := make([]byte, extensionsMax)
	n, _ := f.ReadAt(p, 0)
	p = p[:n]
	if len(p) < headerLengthOffset+4 || binary.BigEndian.Uint32(p[4:]) < 3 {
		return nil
	}
	at := int(binary.BigEndian.Uint32(p[headerLengthOffset:]))
	for at >= 0 && at+8 <= len(p) {
		kind, length := binary.BigEndian.Uint32(p[at:]), int(binary.BigEndian.Uint32(p[at+4:]))
		if kind == 0 || length > len(p)-at-8 {
			return nil
		}
		name := p[at+8 : at+8+length]
		relative, ok := strings.CutPrefix(string(name), dir+"/")
		if kind != dataFileExtension || !ok {
			at += 8 + (length+7)&^7
			continue
		}
		fill := "." + strings.Repeat("/", length-len(relative)-1)
		_, err := f.WriteAt([]byte(fill+relative), int64(at)+8)
		return err
	}
	return nil
}
