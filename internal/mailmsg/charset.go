package mailmsg

import (
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// charset is a character set that text is written in.
type charset struct {
	name     string            // as it is written into a message
	encoding encoding.Encoding // nil = UTF-8 or ASCII, which need none
	ascii    bool              // nothing but ASCII is allowed
}

// utf8Set is what has every character.
var utf8Set = charset{name: "UTF-8"}

// findCharset returns the character set that a client names. "" is ASCII if that is enough for the text, else UTF-8.
func findCharset(name, text string) (charset, error) {
	switch {
	case name == "" && isASCII(text):
		return charset{name: "us-ascii"}, nil // and nothing needs to be looked at again
	case name == "" || strings.EqualFold(name, "utf-8") || strings.EqualFold(name, "utf8"):
		return utf8Set, nil
	case strings.EqualFold(name, "us-ascii") || strings.EqualFold(name, "ascii"):
		return charset{name: "us-ascii", ascii: true}, nil
	}
	e := lookupCharset(name)
	if e == nil || wide(e) {
		return charset{}, failf("Charset %q is not supported", shorten(name))
	}
	return charset{name: name, encoding: e}, nil
}

// lookupCharset returns the encoding of a name, nil if there is none. The registry of IANA comes first, as for HTML an iso-8859-1
// is a windows-1252.
func lookupCharset(name string) encoding.Encoding {
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e
	}
	if e, err := htmlindex.Get(name); err == nil {
		return e
	}
	return nil
}

// wide reports whether an encoding takes more than a byte for a line end, so that text in it is no text to a mail server.
// Source: RFC 2046 section 4.1.1.
func wide(e encoding.Encoding) bool {
	return slices.Contains([]encoding.Encoding{
		unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
		utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
	}, e)
}

// encode returns the text in the character set.
func (c charset) encode(text string) (string, error) {
	if c.ascii && !isASCII(text) {
		return "", failf("The text has characters that %s does not have", c.name)
	}
	if c.encoding == nil {
		return text, nil
	}
	out, err := c.encoding.NewEncoder().String(text)
	if err != nil {
		return "", failf("The text has characters that %s does not have", shorten(c.name))
	}
	return out, nil
}

// charsetReader is what decoders of encoded words ask.
func charsetReader(name string, in io.Reader) (io.Reader, error) {
	e := lookupCharset(name)
	if e == nil {
		return nil, failf("Charset %q is not supported", shorten(name))
	}
	return e.NewDecoder().Reader(in), nil
}

// Decode returns text of the named character set as UTF-8, and a function that turns changed text back. "" is ASCII; what is not
// of the set stays as it is as far as possible. It fails with an *Error if the set is not known.
func Decode(name string, data []byte) (text string, back func(string) ([]byte, error), err error) {
	lower := strings.ToLower(name)
	if lower == "" || lower == "us-ascii" || lower == "ascii" || lower == "utf-8" || lower == "utf8" {
		return string(data), func(s string) ([]byte, error) { return []byte(s), nil }, nil
	}
	e := lookupCharset(name)
	if e == nil {
		return "", nil, failf("Charset %q is not supported", shorten(name))
	}
	out, err := e.NewDecoder().Bytes(data)
	if err != nil {
		return "", nil, failf("The text is not %s", shorten(name))
	}
	return string(out), func(s string) ([]byte, error) { return e.NewEncoder().Bytes([]byte(s)) }, nil
}
