package mailmsg

import (
	"mime"
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// MaxAddress is how long an address may be, in bytes. Source: SES API Reference, "Destination".
const MaxAddress = 320

// AddressError says why a text is no address, in words like those of SES.
type AddressError struct {
	Address string // what was written
	Reason  string // as in "Missing final '@domain'"
}

func (e *AddressError) Error() string { return e.Reason + ": " + shorten(e.Address) }

// Address is a mailbox: RFC 5322 section 3.4. It is comparable; see Same for what addresses are equal.
type Address struct {
	Name   string // to be displayed, decoded; "" = none
	Local  string // before the @, without quotes
	Domain string // behind it, as it was written
}

// ParseAddress reads one address: with or without a name, which may be quoted or encoded (RFC 2047). There are no groups. It fails
// with an *AddressError.
func ParseAddress(s string) (Address, error) {
	s = strings.TrimSpace(s)
	if a, ok := plainAddress(s); ok {
		return a, nil
	}
	if name, inner, ok := strings.Cut(s, "<"); ok && strings.HasSuffix(inner, ">") { // A B <a@example.com>
		name = strings.TrimSpace(name)
		if a, ok := plainAddress(inner[:len(inner)-1]); ok && (name == "" || isPhrase(name)) {
			a.Name = name
			return a, nil
		}
	}
	all, err := ParseAddressList(s)
	if err != nil {
		return Address{}, err
	}
	if len(all) != 1 {
		return Address{}, &AddressError{Address: s, Reason: "Illegal address"}
	}
	return all[0], nil
}

// ParseAddressList reads addresses separated by commas. One that is malformed fails all. It fails with an *AddressError.
func ParseAddressList(s string) ([]Address, error) {
	s = strings.TrimSpace(s)
	if a, ok := plainAddress(s); ok {
		return []Address{a}, nil
	}
	if strings.HasSuffix(s, ";") {
		return nil, &AddressError{Address: s, Reason: "Groups of addresses are not supported"}
	}
	if strings.ContainsAny(s, "\r\n\x00") {
		return nil, &AddressError{Address: s, Reason: "Local address contains control or whitespace"}
	}
	p := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: charsetReader}}
	found, err := p.ParseList(s)
	if err != nil {
		return nil, &AddressError{Address: s, Reason: reason(s)}
	}
	all := make([]Address, 0, len(found))
	for _, one := range found {
		at := strings.LastIndexByte(one.Address, '@')
		a := Address{Name: one.Name, Local: one.Address[:at], Domain: one.Address[at+1:]}
		if why := a.check(); why != "" {
			return nil, &AddressError{Address: one.Address, Reason: why}
		}
		all = append(all, a)
	}
	return all, nil
}

// plainAddress reads the common case, local@domain, without a look at anything else.
func plainAddress(s string) (Address, bool) {
	at := strings.IndexByte(s, '@')
	if at <= 0 {
		return Address{}, false
	}
	a := Address{Local: s[:at], Domain: s[at+1:]}
	if !isDotAtom(a.Local) {
		return Address{}, false
	}
	return a, len(s) <= MaxAddress && plainDomain(a.Domain)
}

// reason says why s is no address, as far as that can be told.
func reason(s string) string {
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		s = strings.TrimSuffix(s[i+1:], ">")
	}
	local, domain, ok := strings.Cut(s, "@")
	switch {
	case s == "":
		return "Empty address"
	case !ok || domain == "":
		return "Missing final '@domain'"
	case local == "":
		return "Missing local name"
	case strings.ContainsAny(domain, " \t"):
		return "Domain contains control or whitespace"
	case strings.HasPrefix(domain, "."):
		return "Domain starts with dot"
	case strings.ContainsAny(local, " \t"):
		return "Local address contains control or whitespace"
	}
	return "Illegal address"
}

// check says what is wrong with an address, "" = nothing.
func (a Address) check() string {
	switch {
	case a.Local == "":
		return "Missing local name"
	case !isASCII(a.Local): // SES does not speak SMTPUTF8. Source: SES API Reference, "Destination".
		return "Local address contains characters that are not ASCII"
	case strings.ContainsFunc(a.Local, isControl):
		return "Local address contains control or whitespace"
	case strings.ContainsFunc(a.Name, isControl):
		return "The name contains control characters"
	case len(a.Local)+1+len(a.Domain) > MaxAddress:
		return "The address is too long"
	case a.ASCII() == "":
		return "Domain contains illegal character"
	}
	return ""
}

// ASCII returns the address with its domain as DNS and SMTP have it: lower case, in A-labels (RFC 5890). It is "" if the domain
// has no such form.
func (a Address) ASCII() string {
	domain := DomainASCII(a.Domain)
	if domain == "" {
		return ""
	}
	return a.local() + "@" + domain
}

// DomainASCII returns a domain in A-labels, lower case; "" if it has no such form.
func DomainASCII(domain string) string {
	if !isASCII(domain) {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return ""
		}
		domain = ascii
	}
	if !plainDomain(domain) {
		return ""
	}
	return strings.ToLower(domain)
}

// Addr returns the address without its name, as it was written.
func (a Address) Addr() string { return a.local() + "@" + a.Domain }

// local returns the local part, quoted if it must be.
func (a Address) local() string {
	if isDotAtom(a.Local) {
		return a.Local
	}
	return quote(a.Local)
}

// Same reports whether two addresses lead to one mailbox, as far as strangers can tell: names do not matter, and the case of
// letters does not, although RFC 5321 section 2.4 would let the far end tell local parts by case. SES does not either.
func (a Address) Same(b Address) bool {
	return strings.EqualFold(a.Local, b.Local) && DomainASCII(a.Domain) == DomainASCII(b.Domain)
}

// Key returns what addresses that are Same have in common.
func (a Address) Key() string {
	return strings.ToLower(a.local()) + "@" + DomainASCII(a.Domain)
}

// String returns the address as a header field has it, its name quoted or encoded if it must be.
func (a Address) String() string {
	line := folder{}
	line.address(a)
	return unfold(line.out)
}

// plainDomain reports whether a domain is made of letters, digits, hyphens and underscores, in labels of the lengths that DNS
// has. Source: RFC 1035 section 2.3.4; underscores are seen in the wild.
func plainDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	label := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		case c == '-' && label > 0:
		default:
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0
}

// isDotAtom reports whether s needs no quotes as a local part. Source: RFC 5322 section 3.2.3.
func isDotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if !isAtom(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

// isAtom reports whether c may stand in an atom. Source: RFC 5322 section 3.2.3.
func isAtom(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>[]:;@\,."`, c) < 0
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func isASCII(s string) bool {
	for ; len(s) >= 8; s = s[8:] { // eight at once
		if (s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7])&0x80 != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// quote makes a quoted string. Source: RFC 5322 section 3.2.4.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}
