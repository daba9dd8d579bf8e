package query

import (
	"bytes"
	"iter"
	"net/url"

	"tidings/internal/fault"
)

// form is the parameters of a request as they came over the wire: parts that are each of the type
// application/x-www-form-urlencoded.
type form [2][]byte

// pairs yields names and values in order, still encoded.
func (f form) pairs() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for _, part := range f {
			for len(part) > 0 {
				pair := part
				if i := bytes.IndexByte(part, '&'); i >= 0 {
					pair, part = part[:i], part[i+1:]
				} else {
					part = nil
				}
				name, value := pair, []byte(nil)
				if i := bytes.IndexByte(pair, '='); i >= 0 {
					name, value = pair[:i], pair[i+1:]
				}
				if len(pair) > 0 && !yield(name, value) {
					return
				}
			}
		}
	}
}

// last returns the value that counts of a parameter whose name needs no encoding; "" = it is not there, or cannot be read.
func (f form) last(want string) string {
	found := ""
	for name, value := range f.pairs() {
		if string(name) == want {
			found, _ = url.QueryUnescape(string(value))
		}
	}
	return found
}

// unescape decodes a name or a value. What it returns may share memory with p.
// Source: WHATWG URL, "application/x-www-form-urlencoded parsing"; a % without two hexadecimal digits is refused, as AWS does.
func unescape(p []byte) ([]byte, error) {
	i := bytes.IndexAny(p, "%+")
	if i < 0 {
		return p, nil
	}
	out := make([]byte, i, len(p))
	copy(out, p)
	for ; i < len(p); i++ {
		switch c := p[i]; {
		case c == '+':
			out = append(out, ' ')
		case c != '%':
			out = append(out, c)
		case i+2 < len(p) && hexDigits[p[i+1]] > 0 && hexDigits[p[i+2]] > 0:
			out = append(out, (hexDigits[p[i+1]]-1)<<4|(hexDigits[p[i+2]]-1))
			i += 2
		default:
			return nil, fault.New(fault.Invalid, "", "The form is broken: %q is no escape sequence.", p[i:min(i+3, len(p))])
		}
	}
	return out, nil
}

// hexDigits holds the value of each hexadecimal digit, plus 1.
var hexDigits = func() (table [256]byte) {
	for i, c := range []byte("0123456789abcdef") {
		table[c] = byte(i) + 1
	}
	for i, c := range []byte("ABCDEF") {
		table[c] = byte(i) + 11
	}
	return table
}()
