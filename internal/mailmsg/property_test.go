package mailmsg_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"pgregory.net/rapid"

	"tidings/internal/mailmsg"
)

// leaf is a part as the standard library reads it.
type leaf struct {
	kind, charset, name, disposition, id, content string
}

// leaves reads a message with the standard library alone.
func leaves(t *rapid.T, header map[string][]string, body io.Reader) []leaf {
	get := func(name string) string { return mail.Header(header).Get(name) }
	kind, params, err := mime.ParseMediaType(get("Content-Type"))
	if err != nil {
		t.Fatalf("ParseMediaType(%q) = %v", get("Content-Type"), err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		var all []leaf
		for r := multipart.NewReader(body, params["boundary"]); ; {
			p, err := r.NextRawPart()
			if errors.Is(err, io.EOF) {
				return all
			}
			if err != nil {
				t.Fatalf("NextRawPart = %v", err)
			}
			all = append(all, leaves(t, p.Header, p)...)
		}
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("ReadAll = %v", err)
	}
	content, err := decode(get("Content-Transfer-Encoding"), raw)
	if err != nil {
		t.Fatalf("decode %q: %v", raw, err)
	}
	l := leaf{kind: kind, charset: params["charset"], content: content, id: get("Content-Id")}
	if l.disposition, params, err = mime.ParseMediaType(get("Content-Disposition")); err == nil {
		l.name = params["filename"]
	}
	return []leaf{l}
}

func decode(transfer string, raw []byte) (string, error) {
	var r io.Reader = bytes.NewReader(raw)
	switch transfer {
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	case "base64":
		r = base64Reader(r)
	}
	out, err := io.ReadAll(r)
	return string(out), err
}

var texts = rapid.OneOf(
	rapid.StringMatching("[ -~\n]{0,200}"), rapid.String(),
	rapid.StringOf(rapid.SampledFrom([]rune("ab .=\t\n\rüß日本😀F"))),
	rapid.Custom(func(t *rapid.T) string { return strings.Repeat("x", rapid.IntRange(900, 1100).Draw(t, "long")) }),
	rapid.SampledFrom([]string{"From me\n.\n..\n", "a \n b\t\n", "--=_", "\n", "\r\n\r\n", "x\x00y", "tail "}),
)

// TestComposeRoundTrip makes messages of all kinds, and sees that the standard library finds in them what went in.
func TestComposeRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := mailmsg.Content{
			From: "a@example.com", Date: date, MessageID: "m", Domain: "example.com",
			Subject: strings.TrimSpace(rapid.StringOf(rapid.SampledFrom([]rune("ab =?_.,:üß日本😀"))).Draw(t, "subject")),
		}
		var want []leaf
		if rapid.Bool().Draw(t, "text") {
			c.Text = &mailmsg.Part{Data: texts.Draw(t, "plain")}
			want = append(want, leaf{kind: "text/plain", content: c.Text.Data})
		}
		if rapid.Bool().Draw(t, "html") || c.Text == nil {
			c.HTML = &mailmsg.Part{Data: texts.Draw(t, "html text")}
			want = append(want, leaf{kind: "text/html", content: c.HTML.Data})
		}
		for range rapid.IntRange(0, 3).Draw(t, "attachments") {
			a := mailmsg.Attachment{
				Name: rapid.StringOf(rapid.SampledFrom([]rune(`ab.; "\'*%üß日本😀`))).Draw(t, "name"), Type: "application/x-test",
				Encoding: rapid.SampledFrom([]string{"", "BASE64", "QUOTED_PRINTABLE", "SEVEN_BIT"}).Draw(t, "encoding"),
				Data:     rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
			}
			c.Attachments = append(c.Attachments, a)
			want = append(want, leaf{kind: a.Type, name: a.Name, disposition: "attachment", content: string(a.Data)})
		}
		raw, err := mailmsg.Compose(c)
		if err != nil {
			t.Fatalf("Compose = %v", err)
		}
		checkMessage(t, raw, c.Subject, want)
	})
}

func checkMessage(t *rapid.T, raw []byte, subject string, want []leaf) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("ReadMessage = %v\n%s", err, raw)
	}
	for line := range strings.SplitSeq(string(raw), "\r\n") {
		if len(line) > mailmsg.MaxLine || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("the line %q is no line of a message", line)
		}
	}
	decoded, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || decoded != subject {
		t.Fatalf("the subject is %q, %v, want %q\n%s", decoded, err, subject, raw)
	}
	got := leaves(t, m.Header, m.Body)
	if len(got) != len(want) {
		t.Fatalf("there are %d parts, want %d\n%s", len(got), len(want), raw)
	}
	for i := range want {
		w, g := want[i], got[i]
		if strings.HasPrefix(w.kind, "text/") { // lines of text end with CRLF; a message ends with one
			w.content = strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(w.content)
			if len(want) == 1 {
				w.content, g.content = strings.TrimSuffix(w.content, "\r\n"), strings.TrimSuffix(g.content, "\r\n")
			}
			g.charset = ""
		}
		if g != w {
			t.Fatalf("part %d is %+q, want %+q\n%s", i, g, w, raw)
		}
	}
}

func TestComposeCharsets(t *testing.T) {
	t.Parallel()
	for charset, c := range map[string]struct {
		text    string
		decoder interface{ Bytes([]byte) ([]byte, error) }
	}{
		"ISO-8859-1":  {"Grüße aus Köln", charmap.ISO8859_1.NewDecoder()},
		"iso-8859-15": {"10 € für Grüße", charmap.ISO8859_15.NewDecoder()},
		"Shift_JIS":   {"日本語のメールの件名はとても長いので、一行には入りません。日本語のメールの件名", japanese.ShiftJIS.NewDecoder()},
		"ISO-2022-JP": {"日本語のメールの件名はとても長いので、一行には入りません。日本語のメールの件名", japanese.ISO2022JP.NewDecoder()},
		"EUC-JP":      {"日本語", japanese.EUCJP.NewDecoder()},
	} {
		t.Run(charset, func(t *testing.T) {
			t.Parallel()
			raw, err := mailmsg.Compose(mailmsg.Content{From: "a@example.com", Subject: c.text, SubjectCharset: charset, Text: &mailmsg.Part{Data: c.text, Charset: charset}})
			if err != nil {
				t.Fatalf("Compose = %v", err)
			}
			checkLines(t, raw)
			h, err := mailmsg.Read(raw)
			if err != nil {
				t.Fatalf("Read = %v", err)
			}
			if !strings.Contains(h.Get("Subject"), "=?"+charset+"?") || h.Decoded("Subject") != c.text {
				t.Errorf("the subject is %q, read as %q, want %q", h.Get("Subject"), h.Decoded("Subject"), c.text)
			}
			for word := range strings.FieldsSeq(h.Get("Subject")) {
				if len(word) > 75 {
					t.Errorf("the word %q has more than 75 bytes", word)
				}
			}
			o, err := mailmsg.Parts(raw, 1)
			if err != nil || o.Leaves[0].Params["charset"] != charset {
				t.Fatalf("Parts = %+v, %v", o, err)
			}
			content, err := o.Leaves[0].Content(raw)
			if err != nil {
				t.Fatalf("Content = %v", err)
			}
			if text, err := c.decoder.Bytes(content); err != nil || strings.TrimSpace(string(text)) != c.text {
				t.Errorf("the text is %q, %v, want %q", text, err, c.text)
			}
			if s := readPython(t, raw); s.Subject != c.text || s.Text == nil || strings.TrimSpace(*s.Text) != c.text || len(s.Defects) > 0 {
				t.Errorf("Python reads %q, %q, %v, want %q", s.Subject, *s.Text, s.Defects, c.text)
			}
		})
	}
}

func TestComposeRefuses(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*mailmsg.Content) {
		return func(c *mailmsg.Content) { c.Headers = []mailmsg.Field{{Name: name, Value: value}} }
	}
	attachment := func(a mailmsg.Attachment) func(*mailmsg.Content) {
		return func(c *mailmsg.Content) { c.Attachments = []mailmsg.Attachment{a} }
	}
	for name, change := range map[string]func(*mailmsg.Content){
		"no sender":            func(c *mailmsg.Content) { c.From = "" },
		"bad sender":           func(c *mailmsg.Content) { c.From = "a" },
		"bad recipient":        func(c *mailmsg.Content) { c.To = []string{"b@example.com", "c@"} },
		"two in one":           func(c *mailmsg.Content) { c.Cc = []string{"b@example.com, c@example.com"} },
		"sender with a line":   func(c *mailmsg.Content) { c.From = "a <a@example.com>\r\nBcc: b@example.com" },
		"unknown charset":      func(c *mailmsg.Content) { c.Text = &mailmsg.Part{Data: "x", Charset: "x-none"} },
		"charset with a line":  func(c *mailmsg.Content) { c.Text = &mailmsg.Part{Data: "x", Charset: "utf-8\r\nX: y"} },
		"not of the charset":   func(c *mailmsg.Content) { c.HTML = &mailmsg.Part{Data: "日", Charset: "ISO-8859-1"} },
		"not ASCII":            func(c *mailmsg.Content) { c.HTML = &mailmsg.Part{Data: "日", Charset: "us-ascii"} },
		"UTF-16":               func(c *mailmsg.Content) { c.Text = &mailmsg.Part{Data: "x", Charset: "UTF-16"} },
		"subject not of it":    func(c *mailmsg.Content) { c.Subject, c.SubjectCharset = "日", "ISO-8859-1" },
		"reserved":             header("bCC", "x@example.com"),
		"header with a line":   header("X-A", "b\r\nBcc: x@example.com"),
		"header with a LF":     header("X-A", "b\nc"),
		"header name, colon":   header("X-A:", "b"),
		"header name, line":    header("X\r\nBcc", "b"),
		"header name, none":    header("", "b"),
		"header name, long":    header(strings.Repeat("x", 127), "b"),
		"header value, long":   header("X-A", strings.Repeat("x", 871)),
		"attachment, name":     attachment(mailmsg.Attachment{Name: "a\r\nb"}),
		"attachment, type":     attachment(mailmsg.Attachment{Name: "a", Type: "nonsense"}),
		"attachment, multi":    attachment(mailmsg.Attachment{Name: "a", Type: "multipart/mixed; boundary=x"}),
		"attachment, ID":       attachment(mailmsg.Attachment{Name: "a", ID: "a> <b"}),
		"attachment, no ASCII": attachment(mailmsg.Attachment{Name: "a", ID: "ü"}),
	} {
		c := mailmsg.Content{From: "a@example.com", To: []string{"b@example.com"}, Text: &mailmsg.Part{Data: "x"}}
		change(&c)
		raw, err := mailmsg.Compose(c)
		_, bad := errors.AsType[*mailmsg.Error](err)
		_, badAddress := errors.AsType[*mailmsg.AddressError](err)
		if !bad && !badAddress {
			t.Errorf("%s: Compose = %q, %v, want an error for the client", name, raw, err)
		}
	}
}

// TestComposeNoInjection sees that nothing that a client writes becomes a field of its own.
func TestComposeNoInjection(t *testing.T) {
	t.Parallel()
	evil := rapid.Custom(func(t *rapid.T) string {
		return rapid.String().Draw(t, "before") + rapid.SampledFrom([]string{"\r\n", "\n", "\r", " ", "", "?=\r\n"}).Draw(t, "end") + "X-Evil: 1" + rapid.String().Draw(t, "behind")
	})
	rapid.Check(t, func(t *rapid.T) {
		raw, err := mailmsg.Compose(mailmsg.Content{
			From: rapid.OneOf(rapid.Just("a@example.com"), evil).Draw(t, "from"), Subject: evil.Draw(t, "subject"), Text: &mailmsg.Part{Data: "x"},
			Headers:     []mailmsg.Field{{Name: rapid.OneOf(rapid.Just("X-A"), evil).Draw(t, "name"), Value: rapid.OneOf(rapid.Just("v"), evil).Draw(t, "value")}},
			Attachments: []mailmsg.Attachment{{Name: rapid.OneOf(rapid.Just("n"), evil).Draw(t, "file"), Description: rapid.OneOf(rapid.Just(""), evil).Draw(t, "description")}},
		})
		if err != nil {
			return
		}
		o, err := mailmsg.Parts(raw, 10)
		if err != nil || len(o.Leaves) != 2 {
			t.Fatalf("Parts = %+v, %v\n%s", o, err, raw)
		}
		if bytes.Contains(raw, []byte("\nX-Evil:")) || bytes.Contains(raw, []byte("\rX-Evil:")) {
			t.Fatalf("there is a field that nobody meant:\n%s", raw)
		}
	})
}

func TestComposeWithoutBody(t *testing.T) {
	t.Parallel()
	raw, err := mailmsg.Compose(mailmsg.Content{From: "a@example.com"})
	want := "From: a@example.com\r\nSubject: \r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
	if err != nil || string(raw) != want {
		t.Errorf("Compose = %q, %v, want %q", raw, err, want)
	}
}

func TestComposeAttachedMessage(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{"Subject: x\r\n\r\nbody": "message/rfc822", "Subject: x\r\n\r\nbödy": "application/octet-stream"} {
		raw, err := mailmsg.Compose(mailmsg.Content{
			From: "a@example.com", Text: &mailmsg.Part{Data: "see"},
			Attachments: []mailmsg.Attachment{{Name: "m.eml", Type: "message/rfc822", Data: []byte(data)}},
		})
		if err != nil {
			t.Fatalf("Compose = %v", err)
		}
		o, err := mailmsg.Parts(raw, 10)
		if err != nil || len(o.Leaves) != 2 || o.Leaves[1].Type != want {
			t.Fatalf("Parts = %+v, %v, want an attachment of %s", o, err, want)
		}
		if content, err := o.Leaves[1].Content(raw); err != nil || string(content) != data {
			t.Errorf("the attachment is %q, %v, want %q", content, err, data)
		}
	}
}
