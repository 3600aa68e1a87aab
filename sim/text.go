package sim

import (
	"strconv"

	"fleece/host"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// errText is strerror's text for what the host answered.
func errText(err error) string { return host.ErrText(err) }

// wellFormed is QEMU's id_wellformed (§2.1).
func wellFormed(id string) bool {
	for i := range len(id) {
		c := id[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		later := c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
		if !letter && (i == 0 || !later) {
			return false
		}
	}
	return id != ""
}
