package smtpin

import "strings"

// mailbox checks an address of an envelope, and writes it as a header would: go-smtp takes the quotes off local parts. Addresses
// that are not of ASCII are refused, since SES does not offer SMTPUTF8; and so are those with a second @, which go-smtp passes on with
// its quotes taken off or as the mistake that it nearly always is: nobody can tell.
// Source: RFC 5321 4.1.2 and 4.5.3.1; SES API Reference, "Destination".
func mailbox(s string) (address string, ok bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > 254 {
		return "", false
	}
	local, domain := s[:at], s[at+1:]
	if !isDomain(domain) || strings.ContainsFunc(local, func(r rune) bool { return r < ' ' || r > '~' || r == '@' }) {
		return "", false
	}
	if !isDotString(local) {
		local = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
	}
	return local + "@" + domain, true
}

// isDotString reports whether the local part needs no quotes.
func isDotString(local string) bool {
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !isLetterOrDigit(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r) }) {
			return false
		}
	}
	return true
}

func isDomain(domain string) bool {
	if inner, ok := strings.CutPrefix(domain, "["); ok { // an address literal
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && inner != "" && !strings.ContainsFunc(inner, func(r rune) bool { return !isLetterOrDigit(r) && !strings.ContainsRune(".:-", r) })
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool { return !isLetterOrDigit(r) && r != '-' && r != '_' }) {
			return false
		}
	}
	return true
}

func isLetterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
