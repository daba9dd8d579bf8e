package email

import (
	"errors"
	"strings"

	"golang.org/x/net/idna"

	"tidings/internal/fault"
)

// The limits of an address. Source: RFC 5321 section 4.5.3.1.
const (
	maxLocal  = 64
	maxDomain = 255
	maxLabel  = 63
)

// badAddress is what is wrong with an address, in the words that SES uses.
type badAddress string

func (e badAddress) Error() string { return string(e) }

// The errors. SES answers with those of the mail library it is made with, which are known from reports of its users.
const (
	errEmpty          badAddress = "Illegal address"
	errNoDomain       badAddress = "Missing final '@domain'"
	errEmptyDomain    badAddress = "Missing domain"
	errNoLocal        badAddress = "Missing local name"
	errLocalSpace     badAddress = "Local address contains control or whitespace"
	errLocalCharacter badAddress = "Local address contains illegal character"
	errLocalStart     badAddress = "Local address starts with dot"
	errLocalEnd       badAddress = "Local address ends with dot"
	errLocalDots      badAddress = "Local address contains dot-dot"
	errLocalLong      badAddress = "Local address is longer than 64 characters"
	errQuote          badAddress = "Unmatched quote in local address"
	errDomainSpace    badAddress = "Domain contains control or whitespace"
	errDomainForm     badAddress = "Domain contains illegal character"
	errDomainStart    badAddress = "Domain starts with dot"
	errDomainEnd      badAddress = "Domain ends with dot"
	errDomainDots     badAddress = "Domain contains dot-dot"
	errDomainLong     badAddress = "Domain is too long"
)

// refuseAddress makes a fault for the client of what is wrong with an address.
func refuseAddress(err error) error {
	bad, ok := errors.AsType[badAddress](err)
	if !ok {
		bad = errEmpty
	}
	return fault.New(fault.Invalid, fault.EmailParameter, "%s", string(bad))
}

// bareAddress checks an address without a name, and returns it with its domain in ASCII.
func bareAddress(text string) (string, error) {
	if text == "" {
		return "", errEmpty
	}
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return "", errNoDomain
	}
	local, domain := text[:at], text[at+1:]
	if err := checkLocal(local); err != nil {
		return "", err
	}
	ascii, err := asciiDomain(domain)
	if err != nil {
		return "", err
	}
	if ascii == domain {
		return text, nil
	}
	return local + "@" + ascii, nil
}

// checkLocal holds what stands before the at sign to RFC 5321 section 4.1.2. It must be ASCII: SES does not speak RFC 6531.
// Source: SES API Reference, "Destination".
func checkLocal(local string) error {
	switch {
	case local == "":
		return errNoLocal
	case len(local) > maxLocal:
		return errLocalLong
	case local[0] == '"':
		return checkQuoted(local)
	case local[0] == '.':
		return errLocalStart
	case local[len(local)-1] == '.':
		return errLocalEnd
	case strings.Contains(local, ".."):
		return errLocalDots
	}
	for i := range len(local) {
		switch c := local[i]; {
		case c <= ' ' || c == 0x7f:
			return errLocalSpace
		case c > 0x7f || strings.IndexByte(`()<>@,;:\"[]`, c) >= 0:
			return errLocalCharacter
		}
	}
	return nil
}

// checkQuoted holds a local part in quotes to RFC 5321 section 4.1.2.
func checkQuoted(local string) error {
	if len(local) < 3 || local[len(local)-1] != '"' {
		return errQuote
	}
	inner := local[1 : len(local)-1]
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case c < ' ' || c == 0x7f:
			return errLocalSpace
		case c > 0x7f:
			return errLocalCharacter
		case c == '"':
			return errQuote
		case c == '\\':
			if i++; i == len(inner) || inner[i] < ' ' || inner[i] > '~' {
				return errQuote
			}
		}
	}
	return nil
}

// asciiDomain checks a domain, and returns it with its labels in ASCII.
// Source: RFC 1035 section 2.3.4, RFC 5890 section 2.3.2.
func asciiDomain(domain string) (string, error) {
	ascii := true
	for _, c := range []byte(domain) {
		if c <= ' ' || c == 0x7f {
			return "", errDomainSpace
		}
		ascii = ascii && c < 0x80
	}
	if !ascii {
		var err error
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return "", errDomainForm
		}
	}
	switch {
	case domain == "":
		return "", errEmptyDomain
	case domain[0] == '.':
		return "", errDomainStart
	case domain[len(domain)-1] == '.':
		return "", errDomainEnd
	case len(domain) > maxDomain:
		return "", errDomainLong
	}
	for label := range strings.SplitSeq(domain, ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
	}
	return domain, nil
}

func checkLabel(label string) error {
	switch {
	case label == "":
		return errDomainDots
	case len(label) > maxLabel:
		return errDomainLong
	case label[0] == '-' || label[len(label)-1] == '-':
		return errDomainForm
	}
	for i := range len(label) {
		c := label[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' {
			return errDomainForm
		}
	}
	return nil
}
