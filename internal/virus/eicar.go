package virus

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
)

// The test file: 68 bytes, behind which white space may make it 128 long. It is put together here, so that scanners do not take this
// program for it. Source: EICAR, "Anti Malware Testfile", "Intended use".
const (
	testBytes   = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE` + `!$H+H*`
	testLongest = 128
	testSpace   = " \t\r\n\x1a"
)

// isTestFile reports whether a content that begins with start is the test file. start has testLongest+1 bytes, or is all there is.
func isTestFile(start []byte) bool {
	rest, ok := bytes.CutPrefix(start, []byte(testBytes))
	return ok && len(start) <= testLongest && len(bytes.Trim(rest, testSpace)) == 0
}

// deepest bounds parts within parts. What is deeper is not looked at.
const deepest = 20

// hasTestFile reports whether the body of the message, or a part of it, is the test file. Of each part only the beginning is decoded, and
// nothing is copied besides. A message that is not well made is taken as it comes: this is a test, and no defence.
func hasTestFile(raw []byte) bool {
	if !bytes.Contains(raw, []byte("X5O!P%@AP")) && !mayHide(raw) {
		return false
	}
	return walk(raw, deepest)
}

// mayHide reports whether something in the message may be encoded: most small messages have nothing of that kind.
func mayHide(raw []byte) bool {
	for rest := raw; len(rest) > 0; {
		if (rest[0] == 'C' || rest[0] == 'c') && isField(rest, encodingField) {
			return true
		}
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	return false
}

const (
	encodingField = "content-transfer-encoding"
	typeField     = "content-type"
)

// isField reports whether the line is the beginning of the field.
func isField(line []byte, name string) bool {
	return len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) && bytes.HasPrefix(bytes.TrimLeft(line[len(name):], " \t"), []byte(":"))
}

// walk looks at an entity: a message or a part of one. Source: RFC 2045 and RFC 2046.
func walk(entity []byte, depth int) bool {
	kind, encoding, body := open(entity)
	if depth > 0 {
		media, params, err := mime.ParseMediaType(kind)
		switch {
		case media == "message/rfc822" && isTransparent(encoding):
			return walk(body, depth-1)
		case err == nil && strings.HasPrefix(media, "multipart/") && params["boundary"] != "":
			for part := range split(body, params["boundary"]) {
				if walk(part, depth-1) {
					return true
				}
			}
			return false
		}
	}
	return isTestFile(decode(body, encoding))
}

func isTransparent(encoding string) bool {
	return encoding != "base64" && encoding != "quoted-printable"
}

// open divides an entity into what its header says of type and encoding, and its body.
func open(entity []byte) (kind, encoding string, body []byte) {
	var field *string // of which the next line may be more
	for len(entity) > 0 {
		line := entity
		if i := bytes.IndexByte(entity, '\n'); i >= 0 {
			line, entity = entity[:i], entity[i+1:]
		} else {
			entity = nil
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case len(line) == 0:
			return kind, strings.ToLower(strings.TrimSpace(encoding)), entity
		case line[0] == ' ' || line[0] == '\t':
			if field != nil {
				*field += string(line)
			}
			continue
		}
		field = nil
		switch {
		case isField(line, typeField):
			field = &kind
		case isField(line, encodingField):
			field = &encoding
		}
		if field != nil {
			_, value, _ := bytes.Cut(line, []byte(":"))
			*field = string(value)
		}
	}
	return kind, strings.ToLower(strings.TrimSpace(encoding)), nil
}

// split visits the parts of a body. Source: RFC 2046 section 5.1.1: a delimiter is a line that begins with two hyphens and the boundary;
// two more are behind the last. The end of the line before a delimiter belongs to it.
func split(body []byte, boundary string) func(yield func(part []byte) bool) {
	delimiter := []byte("--" + boundary)
	return func(yield func(part []byte) bool) {
		begin := -1 // of the part under way; -1 = there was no delimiter yet
		for at := 0; at < len(body); {
			i := bytes.Index(body[at:], delimiter)
			if i < 0 {
				break
			}
			i += at
			at = i + len(delimiter)
			tail, more := lineAt(body, at)
			closing := bytes.HasPrefix(tail, []byte("--"))
			if i > 0 && body[i-1] != '\n' || !closing && len(bytes.TrimSpace(tail)) > 0 {
				continue
			}
			if begin >= 0 && !yield(trimEnd(body[begin:max(begin, i)])) || closing {
				return
			}
			begin, at = more, more
		}
		if begin >= 0 { // it is cut short
			yield(body[begin:])
		}
	}
}

// lineAt returns the rest of the line, and where the next begins.
func lineAt(body []byte, at int) (rest []byte, next int) {
	if i := bytes.IndexByte(body[at:], '\n'); i >= 0 {
		return body[at : at+i], at + i + 1
	}
	return body[at:], len(body)
}

func trimEnd(part []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(part, []byte("\n")), []byte("\r"))
}

// decode returns the first testLongest+1 bytes of what a body says, or all of it if that is less.
func decode(body []byte, encoding string) []byte {
	const most = testLongest + 1
	switch encoding {
	case "base64":
		return decode64(body, most)
	case "quoted-printable":
		start := make([]byte, most)
		n, _ := io.ReadFull(quotedprintable.NewReader(bytes.NewReader(body)), start) // as far as it goes
		return start[:n]
	}
	return body[:min(most, len(body))]
}

// decode64 decodes what it can of base64, in which all other characters mean nothing. Source: RFC 2045 section 6.8.
func decode64(body []byte, most int) []byte {
	digits := make([]byte, 0, (most+2)/3*4)
	for _, c := range body {
		if c == '=' || len(digits) == cap(digits) {
			break
		}
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
			digits = append(digits, c)
		}
	}
	start := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
	n, _ := base64.RawStdEncoding.Decode(start, digits) // a digit alone at the end is no byte
	return start[:min(n, most)]
}
