package mailmsg_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/mailmsg"
)

// seen is what an independent parser, Python's email package, makes of a message.
type seen struct {
	From, To, Cc, ReplyTo, Subject, MessageID, Date string
	Extra                                           map[string]string
	Text, HTML                                      *string
	Files                                           []file
	Defects                                         []string
}

type file struct{ Name, Type, Disposition, ID, Text string }

const script = `
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
defects = [repr(d) for p in m.walk() for d in p.defects]
for p in m.walk():
    for v in p.values():
        defects += [repr(d) for d in getattr(v, "defects", [])]
def text(kind):
    for p in m.walk():
        if p.get_content_type() == kind and p.get_filename() is None and not p.is_attachment(): return p.get_content()
files = [dict(Name=p.get_filename(), Type=p.get_content_type(), Disposition=p.get_content_disposition(), ID=str(p["Content-ID"] or ""),
  Text=p.get_payload(decode=True).decode("latin-1")) for p in m.walk() if p.get_filename()]
print(json.dumps(dict(From=m["From"], To=m["To"], Cc=m["Cc"], ReplyTo=m["Reply-To"], Subject=m["Subject"], MessageID=m["Message-ID"], Date=m["Date"],
  Extra={k: str(v) for k, v in m.items() if k.startswith("X-")}, Text=text("text/plain"), HTML=text("text/html"), Files=files, Defects=defects)))
`

// readPython has Python read the message.
func readPython(tb testing.TB, raw []byte) seen {
	tb.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		tb.Skip("there is no python3")
	}
	cmd := exec.CommandContext(tb.Context(), python, "-c", script)
	cmd.Stdin = bytes.NewReader(raw)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("python3 cannot read the message: %v\n%s\n%s", err, stderr.String(), raw)
	}
	var s seen
	if err := json.Unmarshal(out, &s); err != nil {
		tb.Fatalf("Unmarshal(%s) = %v", out, err)
	}
	return s
}

var date = time.Date(2026, 3, 1, 12, 30, 5, 0, time.UTC)

func full() mailmsg.Content {
	return mailmsg.Content{
		From:    `"Müller, Jürgen" <juergen@example.com>`,
		ReplyTo: []string{"reply@example.com"},
		To:      []string{"A B <a@example.com>", `"Doe, J." <b@example.com>`, "山田太郎 <c@bücher.example>"},
		Cc:      []string{"d@example.com"},
		Subject: "Grüße aus München, und noch viel mehr: ein Betreff, der nicht in eine Zeile passt – 件名",
		Text:    &mailmsg.Part{Data: "Hallo Jürgen,\n.\nFrom here on… \n" + strings.Repeat("lang ", 300)},
		HTML:    &mailmsg.Part{Data: "<p>Grüße</p>"},
		Headers: []mailmsg.Field{{Name: "X-Campaign", Value: "spring"}, {Name: "X-Long", Value: strings.Repeat("many words ", 20)}, {Name: "X-Name", Value: "Größe"}},
		Attachments: []mailmsg.Attachment{
			{Name: "Übersicht der außerordentlichen Vorkommnisse des Jahres.pdf", Data: []byte{0, 1, 2, 255}},
			{Name: "logo.png", ID: "logo", Inline: true, Data: []byte("png")},
			{Name: "a.txt", Type: "text/plain; charset=utf-8", Encoding: "QUOTED_PRINTABLE", Data: []byte("x = ü\r\nend")},
		},
		Date: date, MessageID: "0100", Domain: "mail.example",
	}
}

func TestComposeFull(t *testing.T) {
	t.Parallel()
	raw, err := mailmsg.Compose(full())
	if err != nil {
		t.Fatalf("Compose = %v", err)
	}
	checkLines(t, raw)
	c := full()
	want := seen{
		From: `"Müller, Jürgen" <juergen@example.com>`, ReplyTo: "reply@example.com", Cc: "d@example.com", MessageID: "<0100@mail.example>",
		To:      `A B <a@example.com>, "Doe, J." <b@example.com>, 山田太郎 <c@xn--bcher-kva.example>`,
		Subject: c.Subject, Date: "Sun, 01 Mar 2026 12:30:05 +0000",
		Extra: map[string]string{"X-Campaign": "spring", "X-Long": strings.TrimSpace(c.Headers[1].Value), "X-Name": "Größe"},
		Text:  new(strings.ReplaceAll(c.Text.Data, "\n", "\r\n")), HTML: &c.HTML.Data,
		Files: []file{
			{Name: "logo.png", Type: "image/png", Disposition: "inline", ID: "<logo>", Text: "png"},
			{Name: c.Attachments[0].Name, Type: "application/pdf", Disposition: "attachment", Text: "\x00\x01\x02\u00ff"},
			{Name: "a.txt", Type: "text/plain", Disposition: "attachment", Text: "x = Ã¼\r\nend"},
		},
		Defects: []string{},
	}
	if diff := cmp.Diff(want, readPython(t, raw)); diff != "" {
		t.Errorf("what Python reads (-want +got):\n%s\n%s", diff, raw)
	}
}

// checkLines checks that the message is one that SMTP can carry.
func checkLines(tb testing.TB, raw []byte) {
	tb.Helper()
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		tb.Errorf("the message does not end with CRLF: %q", raw[max(0, len(raw)-20):])
	}
	for i, line := range strings.Split(string(raw), "\r\n") {
		if len(line) > mailmsg.MaxLine || strings.ContainsAny(line, "\r\n") {
			tb.Errorf("line %d has %d bytes or a bare CR or LF: %q", i+1, len(line), line)
		}
		for _, c := range []byte(line) {
			if c >= 0x80 || c == 0 {
				tb.Errorf("line %d is not ASCII: %q", i+1, line)
				break
			}
		}
	}
}

func BenchmarkCompose(b *testing.B) {
	c := mailmsg.Content{
		From: "Shop <shop@example.com>", To: []string{"a@example.com"}, Subject: "Your order 4711",
		Text: &mailmsg.Part{Data: strings.Repeat("Thank you for your order.\r\n", 40)},
		HTML: &mailmsg.Part{Data: strings.Repeat("<p>Thank you for <b>your</b> order.</p>\r\n", 60)},
		Date: date, MessageID: "0100", Domain: "mail.example",
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mailmsg.Compose(c); err != nil {
			b.Fatal(err)
		}
	}
}

// base64Reader decodes as the standard library does, which skips line ends.
func base64Reader(r io.Reader) io.Reader { return base64.NewDecoder(base64.StdEncoding, r) }
