package sipcall

import (
	"strings"
)

// maxPhrase bounds how much of the text of others reaches logs and records.
const maxPhrase = 60

// isText reports whether s can stand in a header as it is.
func isText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// phrase makes a text that came from the network fit for records that customers read.
func phrase(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s[:min(len(s), maxPhrase)])
	return strings.TrimSpace(s)
}

// isDigits reports whether s is a number that can be dialled: digits, at most 20.
func isDigits(s string) bool {
	return s != "" && len(s) <= 20 && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
