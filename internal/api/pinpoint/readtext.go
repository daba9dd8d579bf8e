package pinpoint

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// token reads a string that begins here.
func (r *reader) token() string {
	if !r.take('"') {
		r.syntax("a string is missing")
		return ""
	}
	from := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[from : r.at-1]
		case c == '\\':
			return r.escaped(from)
		case c < ' ':
			r.syntax("a control character stands in a string")
			return ""
		}
		r.at++
	}
	r.syntax("it ends in a string")
	return ""
}

// escaped reads on in a string that began at from and has come to its first escape.
func (r *reader) escaped(from int) string {
	b := append(make([]byte, 0, 64), r.text[from:r.at]...)
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(b)
		case c == '\\':
			b = r.escape(b)
		case c < ' ':
			r.at--
			r.syntax("a control character stands in a string")
			return ""
		default:
			b = append(b, c)
		}
		if r.err != nil {
			return ""
		}
	}
	r.syntax("it ends in a string")
	return ""
}

// escape reads what stands behind a backslash. Half a surrogate pair becomes U+FFFD, as
// encoding/json makes of it.
func (r *reader) escape(b []byte) []byte {
	if r.at >= len(r.text) {
		return b // token says that it ends
	}
	c := r.text[r.at]
	r.at++
	switch c {
	case '"', '\\', '/':
		return append(b, c)
	case 'b':
		return append(b, '\b')
	case 'f':
		return append(b, '\f')
	case 'n':
		return append(b, '\n')
	case 'r':
		return append(b, '\r')
	case 't':
		return append(b, '\t')
	case 'u':
		high := r.hex()
		if !utf16.IsSurrogate(high) {
			return utf8.AppendRune(b, high)
		}
		back := r.at
		if strings.HasPrefix(r.text[r.at:], `\u`) {
			r.at += 2
			if pair := utf16.DecodeRune(high, r.hex()); pair != utf8.RuneError {
				return utf8.AppendRune(b, pair)
			}
			r.at = back
		}
		return utf8.AppendRune(b, utf8.RuneError)
	}
	r.at--
	r.syntax("a backslash stands before a character that is none to escape")
	return b
}

// hex reads four hexadecimal digits.
func (r *reader) hex() rune {
	if r.at+4 > len(r.text) {
		r.syntax("four hexadecimal digits are missing")
		return 0
	}
	n, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	if err != nil {
		r.syntax("four hexadecimal digits are missing")
		return 0
	}
	r.at += 4
	return rune(n)
}
