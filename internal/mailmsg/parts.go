package mailmsg

import (
	"bytes"
	"mime"
	"strings"
)

// Leaf is a part of a message that holds no others.
type Leaf struct {
	Header     *Header
	Type       string            // media type, lower case: "text/html"
	Params     map[string]string // of the media type, names in lower case
	Start      int               // where its header begins in the message
	Body, End  int               // where its body stands; the line end before a boundary is no part of it
	Attachment bool              // it is not to be shown
}

// Encoding is the part's Content-Transfer-Encoding, lower case; "" = none is said.
func (l *Leaf) Encoding() string { return strings.ToLower(l.Header.Get("Content-Transfer-Encoding")) }

// Content returns the decoded body of the part within raw, the message that it is of. It fails with an *Error if it cannot be
// decoded.
func (l *Leaf) Content(raw []byte) ([]byte, error) {
	return decodeTransfer(l.Encoding(), raw[l.Body:l.End])
}

// Outline is how a message is built.
type Outline struct {
	Parts  int    // all of them: the message, multiparts, and leaves
	Leaves []Leaf // in their order
	Signed bool   // it is, or holds, a part that nobody must change: signed or encrypted (RFC 1847, RFC 8551)
}

// Parts returns how the message is built. A message within a message is a leaf. It fails with an *Error if a header within is
// malformed, if there are more than most parts, or if they nest deeper than MaxDepth.
func Parts(raw []byte, most int) (*Outline, error) {
	o := &Outline{}
	return o, o.walk(raw, 0, len(raw), 0, most)
}

// walk reads the part that stands in raw[start:end].
func (o *Outline) walk(raw []byte, start, end, depth, most int) error {
	if o.Parts++; o.Parts > most {
		return failf("The message has more than %d MIME parts", most)
	}
	if depth > MaxDepth {
		return failf("The parts of the message nest deeper than %d", MaxDepth)
	}
	h, err := Read(raw[start:end])
	if err != nil {
		return err
	}
	kind, params := mediaType(h)
	switch kind {
	case "multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime":
		o.Signed = true
	}
	if boundary := params["boundary"]; strings.HasPrefix(kind, "multipart/") && boundary != "" {
		return o.split(raw, start+h.Body, end, boundary, depth, most)
	}
	disposition, _, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	o.Leaves = append(o.Leaves, Leaf{
		Header: h, Type: kind, Params: params, Start: start, Body: start + h.Body, End: end, Attachment: disposition == "attachment",
	})
	return nil
}

// split reads the parts between the boundaries of raw[start:end]. Source: RFC 2046 section 5.1.1.
func (o *Outline) split(raw []byte, start, end int, boundary string, depth, most int) error {
	delimiter := []byte("--" + boundary)
	part := -1 // where the part began that is being read
	for at := start; at < end; {
		line, next := cutLine(raw[:end], at)
		rest, ok := bytes.CutPrefix(line, delimiter)
		last := ok && bytes.HasPrefix(rest, []byte("--"))
		if !ok || !last && len(bytes.TrimRight(rest, " \t")) > 0 {
			at = next
			continue
		}
		if part >= 0 {
			if err := o.walk(raw, part, max(part, lineBefore(raw, at)), depth+1, most); err != nil {
				return err
			}
		}
		if part = next; last {
			return nil
		}
		at = next
	}
	if part < 0 { // nothing but a preamble
		return nil
	}
	return o.walk(raw, part, end, depth+1, most)
}

// lineBefore returns where the line end before an index begins: it belongs to the boundary there.
func lineBefore(raw []byte, at int) int {
	if at > 0 && raw[at-1] == '\n' {
		at--
	}
	if at > 0 && raw[at-1] == '\r' {
		at--
	}
	return at
}

// mediaType returns the type of a part. What cannot be read is taken as RFC 2045 section 5.2 has it.
func mediaType(h *Header) (string, map[string]string) {
	value := h.Get("Content-Type")
	if value == "" {
		return "text/plain", nil
	}
	kind, params, err := mime.ParseMediaType(value)
	if err != nil && kind == "" {
		return "text/plain", nil
	}
	return kind, params
}

// Encode returns the part with other content, header and body: what raw[l.Start:l.End] is to be replaced with. The transfer
// encoding stays if it can carry the content, else it becomes quoted-printable; all other fields stay byte for byte.
func (l *Leaf) Encode(raw, content []byte) []byte {
	text := string(content)
	header := raw[l.Start:l.Body]
	transfer := strings.TrimSpace(l.Encoding())
	switch fits := chooseTransfer(text); transfer {
	case base64Encoding, quotedPrintable:
	case "8bit", "binary":
		if !fitsLines(text) {
			transfer = quotedPrintable
		}
	default:
		if fits != sevenBit {
			transfer = quotedPrintable
		}
	}
	if transfer == quotedPrintable && l.Encoding() != quotedPrintable {
		const name = "Content-Transfer-Encoding"
		header = append([]byte(name+": "+quotedPrintable+"\r\n"), Strip(header, Names(name))...)
	}
	out := make([]byte, 0, len(header)+len(content)+len(content)/4)
	out = append(out, header...)
	if l.Body == l.End && !bytes.HasSuffix(header, []byte("\n\r\n")) && !bytes.HasSuffix(header, []byte("\n\n")) {
		out = append(bytes.TrimRight(out, "\r\n"), "\r\n\r\n"...) // the part was nothing but a header
	}
	out = appendTransfer(out, transfer, text)
	if bytes.HasSuffix(raw[:l.End], []byte("\r\n")) && !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out, "\r\n"...) // a message ends with a line end
	}
	return out
}
