package pinpoint

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The functions of this file append JSON (RFC 8259) onto buf. They exist because the record
// of an event is made for every event, and reflection would cost more than all the rest.

const hexDigits = "0123456789abcdef"

// plain says which bytes stand for themselves within a string.
// Source: RFC 8259, section 7.
var plain = func() (t [utf8.RuneSelf]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

// appendString appends a JSON string. What is no UTF-8 becomes U+FFFD. U+2028 and U+2029 are
// escaped, though they need not be: to some readers of lines they are line breaks.
func appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	from := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if !plain[c] {
				buf = append(buf, s[from:i]...)
				buf = appendEscaped(buf, c)
				from = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		instead := ""
		switch {
		case r == utf8.RuneError && size == 1:
			instead = "\ufffd"
		case r == '\u2028':
			instead = `\u2028`
		case r == '\u2029':
			instead = `\u2029`
		}
		if instead != "" {
			buf = append(buf, s[from:i]...)
			buf = append(buf, instead...)
			from = i + size
		}
		i += size
	}
	buf = append(buf, s[from:]...)
	return append(buf, '"')
}

func appendEscaped(buf []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(buf, '\\', c)
	case '\b':
		return append(buf, '\\', 'b')
	case '\f':
		return append(buf, '\\', 'f')
	case '\n':
		return append(buf, '\\', 'n')
	case '\r':
		return append(buf, '\\', 'r')
	case '\t':
		return append(buf, '\\', 't')
	}
	return append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// The magnitudes between which a number is written without an exponent, as ECMAScript
// does. Source: ECMA-262, "Number::toString".
const (
	leastPlain = 1e-6
	mostPlain  = 1e21
)

// appendNumber appends a JSON number. f is finite: isNumber was asked.
func appendNumber(buf []byte, f float64) []byte {
	if n := int64(f); float64(n) == f && n > -1<<53 && n < 1<<53 && (n != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(buf, n, 10)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < leastPlain || abs >= mostPlain) {
		format = 'e'
	}
	return strconv.AppendFloat(buf, f, format, -1, 64)
}

// isNumber reports whether JSON has the number.
func isNumber(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// object writes the members of one JSON object. Members must not repeat.
type object struct {
	buf  []byte
	some bool // there is a member already
}

func (o *object) open() {
	o.buf = append(o.buf, '{')
	o.some = false
}

func (o *object) close() {
	o.buf = append(o.buf, '}')
	o.some = true // the object was a member of the one around it
}

// key appends a name that needs no escaping.
func (o *object) key(name string) {
	if o.some {
		o.buf = append(o.buf, ',')
	}
	o.some = true
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, '"', ':')
}

// clientKey appends a name that a client has chosen.
func (o *object) clientKey(name string) {
	if o.some {
		o.buf = append(o.buf, ',')
	}
	o.some = true
	o.buf = appendString(o.buf, name)
	o.buf = append(o.buf, ':')
}

func (o *object) text(name, value string) {
	o.key(name)
	o.buf = appendString(o.buf, value)
}

// given is text for a value that may be absent.
func (o *object) given(name string, value *string) {
	if value != nil {
		o.text(name, *value)
	}
}

func (o *object) number(name string, value *float64) {
	if value != nil {
		o.key(name)
		o.buf = appendNumber(o.buf, *value)
	}
}

func (o *object) integer(name string, value int64) {
	o.key(name)
	o.buf = strconv.AppendInt(o.buf, value, 10)
}

// raw appends a value that is JSON already.
func (o *object) raw(name string, value []byte) {
	o.key(name)
	o.buf = append(o.buf, value...)
}

func (o *object) texts(name string, values map[string]string) {
	o.key(name)
	o.open()
	for _, k := range keysOf(values, make([]string, 0, maxEventKeys)) {
		o.clientKey(k)
		o.buf = appendString(o.buf, values[k])
	}
	o.close()
}

func (o *object) numbers(name string, values map[string]float64) {
	o.key(name)
	o.open()
	for _, k := range keysOf(values, make([]string, 0, maxEventKeys)) {
		o.clientKey(k)
		o.buf = appendNumber(o.buf, values[k])
	}
	o.close()
}

func (o *object) lists(name string, values map[string][]string) {
	o.key(name)
	o.open()
	for _, k := range keysOf(values, nil) {
		o.clientKey(k)
		o.buf = append(o.buf, '[')
		for i, v := range values[k] {
			if i > 0 {
				o.buf = append(o.buf, ',')
			}
			o.buf = appendString(o.buf, v)
		}
		o.buf = append(o.buf, ']')
	}
	o.close()
}

// keysOf returns the keys of m in order, in into as far as they fit. Records of the same
// content are the same bytes.
func keysOf[V any](m map[string]V, into []string) []string {
	for k := range m {
		into = append(into, k)
	}
	if len(into) > 1 {
		slices.Sort(into)
	}
	return into
}
