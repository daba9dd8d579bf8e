package mailmsg

import (
	"bytes"
	"crypto/rand"
	"strings"
	"time"
)

// Content is what a message is made of.
type Content struct {
	From    string // an address, perhaps with a name
	ReplyTo []string
	To, Cc  []string // Bcc is not written into messages
	Subject string
	// SubjectCharset is the character set of the subject, if it cannot stand as it is; "" = UTF-8.
	SubjectCharset string
	Text, HTML     *Part // nil = there is none
	Attachments    []Attachment
	Headers        []Field   // more fields; see CheckField
	Date           time.Time // zero = no Date field
	MessageID      string    // without its domain and brackets; "" = no Message-ID field
	Domain         string    // of the Message-ID
}

// Part is a text, and the character set that it is to be sent in; "" = ASCII if that is enough, else UTF-8.
type Part struct{ Data, Charset string }

// reserved are the fields that Compose writes, or that are not for others to write.
// Source: SES API v2 Reference, "MessageHeader"; RFC 5322 section 3.6; RFC 2045.
var reserved = map[string]bool{
	"bcc": true, "cc": true, "content-disposition": true, "content-transfer-encoding": true, "content-type": true, "date": true,
	"from": true, "message-id": true, "mime-version": true, "reply-to": true, "return-path": true, "subject": true, "to": true,
}

// The bounds of a field that a client adds. Source: SES API v2 Reference, "MessageHeader".
const (
	MaxFieldName  = 126
	MaxFieldValue = 870
)

// CheckField reports whether a client may add the field to a message that Compose makes. It fails with an *Error.
func CheckField(f Field) error {
	switch {
	case !isFieldName(f.Name):
		return failf("Header name %q is not valid", shorten(f.Name))
	case len(f.Name) > MaxFieldName:
		return failf("A header name has at most %d characters, not %d", MaxFieldName, len(f.Name))
	case reserved[strings.ToLower(f.Name)]:
		return failf("Header %q cannot be set", f.Name)
	case len(f.Value) > MaxFieldValue:
		return failf("The value of header %q has %d bytes, more than %d", f.Name, len(f.Value), MaxFieldValue)
	case strings.ContainsFunc(f.Value, func(r rune) bool { return isControl(r) && r != '\t' }):
		return failf("The value of header %q has control characters", f.Name)
	}
	return nil
}

// isFieldName reports whether s may name a field. Source: RFC 5322 section 2.2.
func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// Compose makes a message. It fails with an *Error or an *AddressError: what it was given cannot be sent.
func Compose(c Content) ([]byte, error) {
	f := folder{out: make([]byte, 0, c.estimate())}
	if err := f.envelope(c); err != nil {
		return nil, err
	}
	f.out = append(f.out, "MIME-Version: 1.0\r\n"...)
	for _, one := range c.Headers {
		if err := CheckField(one); err != nil {
			return nil, err
		}
		f.field(one.Name)
		if err := f.unstructured(utf8Set, strings.TrimSpace(strings.ReplaceAll(one.Value, "\t", " "))); err != nil {
			return nil, err
		}
		f.end()
	}
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	raw := body.append(f.out)
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		raw = append(raw, "\r\n"...)
	}
	return raw, nil
}

// estimate is how long the message may become, so that one allocation does.
func (c *Content) estimate() int {
	n := 1024 + len(c.Subject) + 64*(len(c.To)+len(c.Cc)+len(c.Headers))
	for _, p := range []*Part{c.Text, c.HTML} {
		if p != nil {
			n += len(p.Data) + len(p.Data)/8 + 256
		}
	}
	for _, a := range c.Attachments {
		n += len(a.Data)/2*3 + 512
	}
	return n
}

// envelope writes the fields that say who, when and what about.
func (f *folder) envelope(c Content) error {
	from, err := ParseAddress(c.From)
	if err != nil {
		return err
	}
	f.field("From")
	f.address(from)
	f.end()
	for _, list := range []struct {
		name string
		all  []string
	}{{"Reply-To", c.ReplyTo}, {"To", c.To}, {"Cc", c.Cc}} {
		if err := f.list(list.name, list.all); err != nil {
			return err
		}
	}
	if err := f.subject(c); err != nil {
		return err
	}
	if !c.Date.IsZero() {
		f.field("Date")
		f.out = c.Date.AppendFormat(f.out, "Mon, 2 Jan 2006 15:04:05 -0700") // RFC 5322 section 3.3
		f.end()
	}
	if c.MessageID != "" {
		f.field("Message-ID")
		f.word("<"+c.MessageID+"@"+c.Domain+">", false)
		f.end()
	}
	return nil
}

func (f *folder) list(name string, all []string) error {
	if len(all) == 0 {
		return nil
	}
	addresses := make([]Address, 0, len(all))
	for _, s := range all {
		a, err := ParseAddress(s)
		if err != nil {
			return err
		}
		addresses = append(addresses, a)
	}
	f.field(name)
	f.addresses(addresses)
	f.end()
	return nil
}

func (f *folder) subject(c Content) error {
	subject := c.Subject
	if strings.ContainsAny(subject, "\r\n") { // RFC 5322 has no line ends in values, and nobody may add fields by one
		subject = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ").Replace(subject)
	}
	name := c.SubjectCharset
	if name == "" || !isASCII(subject) && strings.EqualFold(name, "us-ascii") {
		name = "UTF-8"
	}
	set, err := findCharset(name, subject)
	if err != nil {
		return err
	}
	f.field("Subject")
	if err := f.unstructured(set, subject); err != nil {
		return err
	}
	f.end()
	return nil
}

// entity is a part of a message, and what it holds.
type entity struct {
	header   []byte // its fields beside Content-Transfer-Encoding
	transfer string
	content  string
	parts    []*entity // of a multipart; nil = this is a leaf
	boundary string
}

// body makes the tree of the message's parts. Files that the HTML shows are related to it (RFC 2387), others stand beside the
// text (RFC 2046 section 5.1.3).
func (c *Content) body() (*entity, error) {
	var texts []*entity
	var shown, attached []*entity
	for _, a := range c.Attachments {
		e, err := a.entity()
		if err != nil {
			return nil, err
		}
		if a.Inline && c.HTML != nil {
			shown = append(shown, e)
		} else {
			attached = append(attached, e)
		}
	}
	if c.Text != nil || c.HTML == nil {
		part := c.Text
		if part == nil {
			part = &Part{}
		}
		e, err := textEntity("plain", part)
		if err != nil {
			return nil, err
		}
		texts = append(texts, e)
	}
	if c.HTML != nil {
		e, err := textEntity("html", c.HTML)
		if err != nil {
			return nil, err
		}
		texts = append(texts, multipart("related", append([]*entity{e}, shown...)))
	}
	body := multipart("alternative", texts)
	return multipart("mixed", append([]*entity{body}, attached...)), nil
}

// multipart puts parts together. One part alone stays as it is.
func multipart(subtype string, parts []*entity) *entity {
	if len(parts) == 1 {
		return parts[0]
	}
	boundary := "=_" + rand.Text() // neither in base64 nor in quoted-printable, and not to be guessed. RFC 2045 section 6.7
	header := "Content-Type: multipart/" + subtype + ";\r\n boundary=\"" + boundary + "\"\r\n"
	return &entity{header: []byte(header), parts: parts, boundary: boundary}
}

func textEntity(subtype string, p *Part) (*entity, error) {
	set, err := findCharset(p.Charset, p.Data)
	if err != nil {
		return nil, err
	}
	content, err := set.encode(crlf(p.Data))
	if err != nil {
		return nil, err
	}
	header := "Content-Type: text/" + subtype + "; charset=" + set.name + "\r\n"
	return &entity{header: []byte(header), transfer: chooseTransfer(content), content: content}, nil
}

// append writes the part and what is in it.
func (e *entity) append(dst []byte) []byte {
	dst = append(dst, e.header...)
	if e.parts == nil {
		dst = append(dst, "Content-Transfer-Encoding: "...)
		dst = append(dst, e.transfer...)
		dst = append(dst, "\r\n\r\n"...)
		return appendTransfer(dst, e.transfer, e.content)
	}
	for _, part := range e.parts {
		dst = append(dst, "\r\n--"...)
		dst = append(dst, e.boundary...)
		dst = append(dst, "\r\n"...)
		dst = part.append(dst)
	}
	dst = append(dst, "\r\n--"...)
	dst = append(dst, e.boundary...)
	return append(dst, "--\r\n"...)
}
