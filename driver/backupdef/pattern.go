package backupdef

import (
	"strings"

	"fleece/driver/xmldoc"
)

// hostName is dnsName or ipAddr of the schemas.
func hostName(s string) bool {
	return every(s, func(c byte) bool { return xmldoc.Alphanumeric(c) || c == '.' || c == '-' }) || ipv6(s)
}

func every(s string, test func(byte) bool) bool {
	for i := range len(s) {
		if !test(s[i]) {
			return false
		}
	}
	return s != ""
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// ipv6 is the pattern ipv6Addr of the schemas, with its own idea of addresses that end
// like one of version 4: "::" may stand before them only where nothing but groups
// follow, or directly, and then also as ":".
func ipv6(s string) bool {
	if !strings.Contains(s, ".") {
		left, right, short := strings.Cut(s, "::")
		n, ok := groups(left)
		m, ok2 := groups(right)
		if !short {
			return ok && n == 8
		}
		return ok && ok2 && n+m <= 7
	}
	at := strings.LastIndexByte(s, ':')
	if at < 0 || !ipv4(s[at+1:]) {
		return false
	}
	head := s[:at+1] // ends with ':'
	if rest, short := strings.CutPrefix(head, "::"); short {
		n, ok := groups(strings.TrimSuffix(rest, ":"))
		return ok && n <= 5 && rest != ":"
	}
	if head == ":" {
		return true
	}
	if rest, short := strings.CutSuffix(head, "::"); short {
		n, ok := groups(rest)
		return ok && n >= 1 && n <= 5
	}
	n, ok := groups(strings.TrimSuffix(head, ":"))
	return ok && n == 6
}

// groups counts groups of one to four digits with ':' between; none in "".
func groups(s string) (n int, ok bool) {
	if s == "" {
		return 0, true
	}
	for part := range strings.SplitSeq(s, ":") {
		if len(part) > 4 || !every(part, hexadecimal) {
			return 0, false
		}
		n++
	}
	return n, true
}

// ipv4 is the pattern ipv4Addr of the schemas.
func ipv4(s string) bool {
	n := 0
	for part := range strings.SplitSeq(s, ".") {
		n++
		value := 0
		for i := range len(part) {
			value = value*10 + int(part[i]-'0')
		}
		if !xmldoc.Digits(part) || len(part) > 3 || value > 255 || len(part) > 1 && part[0] == '0' {
			return false
		}
	}
	return n == 4
}

// uuid is the pattern UUID of the schemas.
func uuid(s string) bool {
	if len(s) == 36 {
		for _, at := range []int{8, 13, 18, 23} {
			if s[at] != '-' {
				return false
			}
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	return len(s) == 32 && every(s, hexadecimal)
}
