package oshost

import (
	"encoding/hex"
	"net/netip"
	"os"
	"slices"
	"strings"

	"fleece/host"
	"fleece/rt"
)

// Connections counts connections to an address as the kernel lists them: ends that
// bear a unix listener's path, or established ones of a TCP port.
func (h *Host) Connections(network, address string) (int, error) {
	if !h.enter("stat", address, false) {
		return 0, rt.ErrKilled
	}
	defer h.leave()
	if network == host.Unix {
		// A listener is known by the path that it bound, which is the redirected
		// one only if it lies outside of the other namespace.
		real, err := h.resolve(address)
		if err != nil {
			return 0, wrap("stat", address, err)
		}
		return countLines([]string{"/proc/net/unix"}, func(f []string) bool {
			return len(f) >= 8 && f[5] != unixListening && (f[7] == address || f[7] == real)
		})
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, wrap("stat", address, err)
	}
	port := strings.ToUpper(hex.EncodeToString([]byte{byte(a.Port() >> 8), byte(a.Port())}))
	return countLines([]string{"/proc/net/tcp", "/proc/net/tcp6"}, func(f []string) bool {
		return len(f) >= 4 && strings.HasSuffix(f[1], ":"+port) && slices.Contains([]string{tcpEstablished, tcpCloseWait}, f[3])
	})
}

// States as /proc/net shows them (include/net/tcp_states.h, include/linux/net.h):
// a unix socket is "01" while it listens, since it is not connected.
const (
	unixListening  = "01"
	tcpEstablished = "01"
	tcpCloseWait   = "08"
)

// countLines counts the lines of kernel tables that match.
func countLines(paths []string, match func(fields []string) bool) (n int, err error) {
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return 0, wrap("stat", p, err)
		}
		for line := range strings.Lines(string(text)) {
			if match(strings.Fields(line)) {
				n++
			}
		}
	}
	return n, nil
}
