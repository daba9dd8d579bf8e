package smtpout

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"tidings/internal/email"
)

// maxAddress is the longest address. Source: RFC 5321 4.5.3.1.3, a path has 256 octets with its brackets.
const maxAddress = 254

// address is an address as it stands in an SMTP command.
type address struct{ local, domain string }

// String returns the address.
func (a address) String() string {
	if a == (address{}) {
		return "" // the null sender, RFC 5321 4.5.5
	}
	return a.local + "@" + a.domain
}

// parseAddress takes an address apart and turns its domain into A-labels. What is wrong with it comes as a code of RFC 3463 for
// recipients and a text; "" = nothing.
func parseAddress(s string) (a address, enhanced, problem string) {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 {
		return address{}, "5.1.3", "the address has no local part or no domain"
	}
	local := s[:at]
	if !ascii(local) {
		// RFC 6531 3.5: X.6.7, addresses that are not ASCII are not permitted.
		return address{}, "5.6.7", "the local part of the address is not ASCII, and SMTPUTF8 is not spoken here"
	}
	if !isLocal(local) {
		return address{}, "5.1.3", "the local part of the address has characters that cannot stand there"
	}
	domain, ok := asciiDomain(s[at+1:])
	if !ok {
		return address{}, "5.1.3", "what follows @ is not a domain"
	}
	if len(local)+1+len(domain) > maxAddress {
		return address{}, "5.1.3", "the address is too long"
	}
	return address{local, domain}, "", ""
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// isLocal reports whether s can be sent as a local part. It lets pass what mail systems let pass, but nothing that ends a command
// or a path. Source: RFC 5321 4.1.2.
func isLocal(s string) bool {
	quoted := len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"'
	if !quoted {
		return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`<>"\(),:;@[]`, r) })
	}
	for inner := s[1 : len(s)-1]; inner != ""; inner = inner[1:] {
		switch inner[0] {
		case '"':
			return false
		case '\\':
			if inner = inner[1:]; inner == "" {
				return false
			}
		}
		if inner[0] < ' ' || inner[0] == 0x7f {
			return false
		}
	}
	return true
}

// asciiDomain returns the domain in lower case and A-labels (RFC 5890), without a final dot.
func asciiDomain(s string) (string, bool) {
	s = strings.TrimSuffix(s, ".")
	if !ascii(s) {
		var err error
		if s, err = idna.Lookup.ToASCII(s); err != nil {
			return "", false
		}
	}
	s = strings.ToLower(s)
	if s == "" || len(s) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(s, ".") {
		// Underscores exist, though RFC 1123 2.1 has none.
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
	}
	return s, true
}

// carrierGrade is the address space behind carrier-grade NAT. Source: RFC 6598.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// private reports whether the address is no place for a public mail server.
func private(a netip.Addr) bool {
	a = a.Unmap()
	return !a.IsGlobalUnicast() || a.IsPrivate() || carrierGrade.Contains(a)
}

// undeliverable is the verdict for a recipient whose address is wrong.
func undeliverable(enhanced, problem string) said {
	return ours(email.Refused, enhanced, "%s", problem)
}
