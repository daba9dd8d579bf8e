package mailmsg

import (
	"bytes"
	"mime"
	"strings"
)

// Header is the header of a message or of a part. It is safe for concurrent use by those who do not change it.
type Header struct {
	// Fields in their order, with values that are unfolded and otherwise as they were sent.
	Fields []Field
	// Body is where the body begins in what was read, behind the empty line.
	Body int
}

// Read reads the header of a message whose lines end with CRLF or LF. A message without an empty line has no body, an empty
// message no fields. It fails with an *Error if there is a line that is no field, or if the header is too large.
func Read(raw []byte) (*Header, error) {
	h := &Header{Body: len(raw)}
	err := eachField(raw, func(f rawField) error {
		if len(h.Fields) == MaxFields {
			return failf("The header has more than %d fields", MaxFields)
		}
		if f.name == "" {
			return failf("The line %q of the header is no field", shorten(string(bytes.TrimSpace(raw[f.start:f.end]))))
		}
		h.Fields = append(h.Fields, Field{Name: f.name, Value: unfold(f.value)})
		return nil
	}, func(body int) { h.Body = body })
	if err != nil {
		return nil, err
	}
	return h, nil
}

// rawField is a field where it stands.
type rawField struct {
	name       string // "" = it has none that is valid
	value      []byte // folded
	start, end int    // with its line end
}

// eachField calls do with each field of the header that raw begins with, then body with where the body begins.
func eachField(raw []byte, do func(rawField) error, body func(int)) error {
	for at := 0; at < len(raw); {
		line, next := cutLine(raw, at)
		if len(line) == 0 {
			body(next)
			return nil
		}
		start := at
		// A line that begins with a blank goes on with the field before it. Source: RFC 5322 section 2.2.3.
		for at = next; at < len(raw) && (raw[at] == ' ' || raw[at] == '\t'); {
			_, at = cutLine(raw, at)
		}
		if at > MaxHeader {
			return failf("The header has more than %d bytes", MaxHeader)
		}
		f := rawField{start: start, end: at}
		if name, value, ok := bytes.Cut(raw[start:at], []byte(":")); ok {
			// Blanks before the colon are obsolete, but seen. Source: RFC 5322 section 4.5.
			if s := string(bytes.TrimRight(name, " \t")); isFieldName(s) {
				f.name, f.value = s, value
			}
		}
		if err := do(f); err != nil {
			return err
		}
	}
	body(len(raw))
	return nil
}

// cutLine returns the line at an index without its line end, and where the next one begins.
func cutLine(raw []byte, at int) (line []byte, next int) {
	n := bytes.IndexByte(raw[at:], '\n')
	if n < 0 {
		return raw[at:], len(raw)
	}
	return bytes.TrimSuffix(raw[at:at+n], []byte("\r")), at + n + 1
}

// unfold takes the line ends out of a value, and the blanks around it. Source: RFC 5322 section 2.2.3.
func unfold(value []byte) string {
	value = bytes.TrimSpace(value)
	if bytes.IndexByte(value, '\n') < 0 && bytes.IndexByte(value, '\r') < 0 {
		return string(value)
	}
	out := make([]byte, 0, len(value))
	for _, c := range value {
		if c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return string(out)
}

// Get returns the value of the first field of the name, in any case of letters; "" = there is none.
func (h *Header) Get(name string) string {
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, name) {
			return h.Fields[i].Value
		}
	}
	return ""
}

// All returns the values of all fields of the name.
func (h *Header) All(name string) []string {
	var all []string
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, name) {
			all = append(all, h.Fields[i].Value)
		}
	}
	return all
}

// Decoded returns the value of the first field of the name with its encoded words decoded.
func (h *Header) Decoded(name string) string { return DecodeWords(h.Get(name)) }

// DecodeWords decodes the encoded words of a value (RFC 2047). What cannot be decoded stays as it is.
func DecodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	d := mime.WordDecoder{CharsetReader: charsetReader}
	decoded, err := d.DecodeHeader(s)
	if err != nil {
		return s
	}
	return decoded
}

// Addresses returns the addresses of all fields of the name. It fails with an *AddressError if one is malformed; a field that is
// empty has none.
func (h *Header) Addresses(name string) ([]Address, error) {
	var all []Address
	for _, value := range h.All(name) {
		if value == "" {
			continue
		}
		more, err := ParseAddressList(value)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// Normalize returns the message with every line end as CRLF: raw itself if it is so already.
// Source: RFC 5321 section 2.3.8: CR and LF must not stand alone.
func Normalize(raw []byte) []byte {
	whole := bytes.Count(raw, []byte("\r\n"))
	bare := bytes.Count(raw, []byte("\r")) + bytes.Count(raw, []byte("\n")) - 2*whole
	if bare == 0 {
		return raw
	}
	out := make([]byte, 0, len(raw)+bare)
	for i, c := range raw {
		switch {
		case c == '\r' && i+1 < len(raw) && raw[i+1] == '\n':
		case c == '\r' || c == '\n':
			out = append(out, "\r\n"...)
		default:
			out = append(out, c)
		}
	}
	return out
}

// Strip returns the message without the fields of its header that drop names: raw itself if there are none. Lines that are no
// fields stay.
func Strip(raw []byte, drop func(name string) bool) []byte {
	var out []byte
	kept := 0
	// The header has been read before, so that it is within bounds; beyond them it stays as it is.
	err := eachField(raw, func(f rawField) error {
		if f.name != "" && drop(f.name) {
			out = append(out, raw[kept:f.start]...)
			kept = f.end
		}
		return nil
	}, func(int) {})
	if err != nil || kept == 0 {
		return raw
	}
	return append(out, raw[kept:]...)
}

// Names returns a function for Strip that drops the fields of the names, in any case of letters.
func Names(names ...string) func(string) bool {
	return func(name string) bool {
		for _, n := range names {
			if strings.EqualFold(n, name) {
				return true
			}
		}
		return false
	}
}

// Prepend returns the message with fields on top of its header, folded and encoded as need be. It fails with an *Error if a name
// is not valid or a value has control characters; raw must be normalized.
func Prepend(raw []byte, fields ...Field) ([]byte, error) {
	f := folder{out: make([]byte, 0, len(raw)+128*len(fields))}
	for _, one := range fields {
		if !isFieldName(one.Name) || strings.ContainsFunc(one.Value, isControl) {
			return nil, failf("The header %q is not valid", shorten(one.Name))
		}
		f.field(one.Name)
		if err := f.unstructured(utf8Set, one.Value); err != nil {
			return nil, err
		}
		f.end()
	}
	return append(f.out, raw...), nil
}

// Set returns the message with one field of the name: those that it has go, and the new one stands on top. It fails as Prepend
// does.
func Set(raw []byte, name, value string) ([]byte, error) {
	return Prepend(Strip(raw, Names(name)), Field{Name: name, Value: value})
}
