package feedback

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"regexp"
	"strings"
)

// The bounds of what is looked at. Reports have three parts, and gateways may wrap them once or twice.
const (
	maxDepth = 6
	maxParts = 100
)

// part is a message, or a part of one.
type part struct {
	fields Fields
	kind   string // media type, lower case
	params map[string]string
	body   []byte // as it came
}

// read never fails: what is no header is passed over.
func read(raw []byte) part {
	header, body := cut(raw)
	p := part{fields: fields(header), body: body}
	p.kind, p.params = mediaType(p.fields.Get("Content-Type"))
	return p
}

// cut divides a message at its first empty line. Line ends may be LF alone.
func cut(raw []byte) (header, body []byte) {
	for at := 0; at < len(raw); {
		line, next := nextLine(raw, at)
		if len(line) == 0 {
			return raw[:at], raw[next:]
		}
		at = next
	}
	return raw, nil
}

// nextLine returns the line at an offset, without its end, and where the next begins.
func nextLine(raw []byte, at int) (line []byte, next int) {
	n := bytes.IndexByte(raw[at:], '\n')
	if n < 0 {
		return raw[at:], len(raw)
	}
	return bytes.TrimSuffix(raw[at:at+n], []byte("\r")), at + n + 1
}

// fields reads a header. RFC 5322 2.2.3: a line that begins with a space or a tab belongs to the one before.
func fields(header []byte) (all Fields) {
	var value strings.Builder
	flush := func() {
		if len(all) > 0 && value.Len() > 0 {
			all[len(all)-1].Value = strings.TrimSpace(all[len(all)-1].Value + strings.ToValidUTF8(value.String(), "\uFFFD"))
		}
		value.Reset()
	}
	for at := 0; at < len(header); {
		var line []byte
		line, at = nextLine(header, at)
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			value.WriteByte(' ')
			value.Write(bytes.TrimSpace(line))
			continue
		}
		flush()
		name, rest, ok := bytes.Cut(line, []byte(":"))
		name = bytes.TrimRight(name, " \t")
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			continue // such as the "From " line of a mailbox file
		}
		if len(all) == maxFields {
			return all
		}
		all = append(all, Field{Name: text(name), Value: text(bytes.TrimSpace(rest))})
	}
	flush()
	return all
}

func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// boundary finds the boundary of a Content-Type that is not written as RFC 2045 has it.
var boundary = regexp.MustCompile(`(?i)\bboundary="?([^";]+)"?`)

func mediaType(value string) (kind string, params map[string]string) {
	kind, params, err := mime.ParseMediaType(value)
	if err == nil {
		return kind, params
	}
	kind, _, _ = strings.Cut(value, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if m := boundary.FindStringSubmatch(value); m != nil {
		params = map[string]string{"boundary": strings.TrimSpace(m[1])}
	}
	return kind, params
}

// leaves returns the parts of a message that hold no other parts, in their order. What an included message holds is not ours.
func (p part) leaves() []part {
	var all []part
	p.collect(0, &all)
	return all
}

func (p part) collect(depth int, all *[]part) {
	if len(*all) == maxParts {
		return
	}
	if !strings.HasPrefix(p.kind, "multipart/") || p.params["boundary"] == "" || depth == maxDepth {
		*all = append(*all, p)
		return
	}
	for _, raw := range split(p.body, p.params["boundary"]) {
		read(raw).collect(depth+1, all)
	}
}

// split cuts a multipart body at its boundary (RFC 2046 5.1.1). The last boundary may be missing.
func split(body []byte, boundary string) (parts [][]byte) {
	mark := []byte("--" + boundary)
	begin := -1 // of the part; -1 = none has begun
	for at := 0; at < len(body); {
		line, next := nextLine(body, at)
		rest, ok := bytes.CutPrefix(line, mark)
		if rest = bytes.TrimRight(rest, " \t"); ok && (len(rest) == 0 || string(rest) == "--") {
			if begin >= 0 {
				parts = append(parts, body[begin:at])
			}
			if begin = next; len(rest) > 0 || len(parts) == maxParts {
				return parts
			}
		}
		at = next
	}
	if begin >= 0 {
		parts = append(parts, body[begin:])
	}
	return parts
}

// content returns the body, decoded as far as it can be.
func (p part) content() []byte {
	var r io.Reader
	switch strings.ToLower(p.fields.Get("Content-Transfer-Encoding")) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(p.body))
	case "quoted-printable":
		r = quotedprintable.NewReader(bytes.NewReader(p.body))
	default:
		return p.body
	}
	decoded, err := io.ReadAll(r)
	if err != nil && len(decoded) == 0 {
		return p.body
	}
	return decoded
}

// original returns the header of the message that a report is about; nil = it is not included. RFC 6522 3 names the types, RFC
// 6533 those with UTF-8.
func original(leaves []part) Fields {
	for _, p := range leaves {
		switch p.kind {
		case "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers":
			header, _ := cut(bytes.TrimLeft(p.content(), "\r\n"))
			return fields(header)
		}
	}
	return nil
}
