package virus

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// crlf writes lines as a message has them.
func crlf(lines ...string) string { return strings.Join(lines, "\r\n") }

// message makes a multipart message of which the last part is what the header says.
func message(header, body string) string {
	return crlf(
		"From: a@example.com", "Content-Type: multipart/mixed;", " boundary=\"b 1\"", "MIME-Version: 1.0", "", "preamble", "--b 1",
		"Content-Type: text/plain", "", "hello", "--b 1", header, "", body, "--b 1--", "epilogue", "",
	)
}

func wrapped64(s string, width int) string {
	text := base64.StdEncoding.EncodeToString([]byte(s))
	var lines []string
	for len(text) > width {
		lines, text = append(lines, text[:width]), text[width:]
	}
	return crlf(append(lines, text)...)
}

func TestTestFile(t *testing.T) {
	t.Parallel()
	if len(testBytes) != 68 {
		t.Fatalf("the test file has %d bytes, want 68", len(testBytes))
	}
	var qp bytes.Buffer
	w := quotedprintable.NewWriter(&qp)
	if _, err := io.WriteString(w, testBytes); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const base64Header = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: BASE64"
	for _, tt := range []struct {
		name, raw string
		want      bool
	}{
		{"nothing", "", false},
		{"no body", "Subject: a", false},
		{"a body", crlf("Subject: a", "", "hello"), false},
		{"the body", crlf("Subject: a", "", testBytes), true},
		{"the body with bare line feeds", "Subject: a\n\n" + testBytes + "\n", true},
		{"a message without a header", "\r\n" + testBytes, true},
		{"with white space up to 128 bytes", crlf("Subject: a", "", testBytes+strings.Repeat(" ", 60)), true},
		{"with more", crlf("Subject: a", "", testBytes+strings.Repeat(" ", 61)), false},
		{"with text behind it", crlf("Subject: a", "", testBytes+" is a test"), false},
		{"not at the beginning", crlf("Subject: a", "", "look: "+testBytes), false},
		{"in the header", crlf("Subject: "+testBytes, "", "hello"), false},
		{"a base64 body", crlf("Content-Transfer-Encoding: base64", "", wrapped64(testBytes, 76), ""), true},
		{"a part", message("Content-Type: text/plain", testBytes), true},
		{"a part with an end of line", message("Content-Type: text/plain", testBytes+"\r\n"), true},
		{"a part without a header", crlf("Content-Type: multipart/mixed; boundary=b", "", "--b", "", testBytes, "--b--"), true},
		{"base64", message(base64Header, wrapped64(testBytes+"\r\n", 76)), true},
		{"base64 in odd lines", message(base64Header, wrapped64(testBytes, 7)), true},
		{"base64 without padding", message(base64Header, strings.TrimRight(wrapped64(testBytes, 76), "=")), true},
		{"base64 of more", message(base64Header, wrapped64(testBytes+strings.Repeat(" ", 61), 76)), false},
		{"base64 of text", message(base64Header, wrapped64(strings.Repeat("hello ", 100), 76)), false},
		{"base64 in a folded field", message("Content-Transfer-Encoding:\r\n\tbase64 ", wrapped64(testBytes, 76)), true},
		{"quoted-printable", message("Content-Transfer-Encoding: quoted-printable", qp.String()), true},
		{"quoted-printable in full", message("Content-Transfer-Encoding: quoted-printable", strings.Replace(testBytes, "X5O", "=58=35=4F", 1)), true},
		{"in a message", message("Content-Type: message/rfc822", crlf("Subject: inner", "", testBytes)), true},
		{"parts within parts", message("Content-Type: multipart/mixed; boundary=inner", crlf("--inner", base64Header, "", wrapped64(testBytes, 76), "--inner--")), true},
		{"behind the last part", strings.Replace(message("", "x"), "epilogue", "--b 1\r\n\r\n"+testBytes, 1), false},
		{"cut short", crlf("Content-Type: multipart/mixed; boundary=b", "", "--b", "", testBytes), true},
		{"a boundary with a tail", crlf("Content-Type: multipart/mixed; boundary=b", "", "--b  ", "", testBytes, "--bc", "more", "--b--"), false},
		{"a boundary within a line", crlf("Content-Type: multipart/mixed; boundary=b", "", "x --b", "", testBytes, "--b--"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := hasTestFile([]byte(tt.raw)); got != tt.want {
				t.Errorf("hasTestFile(%q) = %v, want %v", tt.raw, got, tt.want)
			}
		})
	}
}

// deep puts the test file into so many messages within messages.
func deep(n int) []byte {
	return []byte(strings.Repeat("Content-Type: message/rfc822\r\n\r\n", n) + "Subject: a\r\n\r\n" + testBytes)
}

func TestDepthIsBounded(t *testing.T) {
	t.Parallel()
	if !hasTestFile(deep(deepest)) {
		t.Errorf("the test file is not found in %d messages within messages", deepest)
	}
	if hasTestFile(deep(deepest + 1)) {
		t.Errorf("the test file is looked for in more than %d messages within messages", deepest)
	}
}

// FuzzWalk takes any message, and then makes a message of the standard library's writer with that as its first part and the test file as
// its second: it is always found.
func FuzzWalk(f *testing.F) {
	f.Add([]byte(message("Content-Type: text/plain", testBytes)), "b")
	f.Add(deep(3), "=_x")
	f.Add([]byte(message("Content-Transfer-Encoding: quoted-printable", "=58=3")), "b 1")
	f.Add([]byte("Content-Type: multipart/a; boundary=\"\"\n\n--\n\n--"), "b")
	f.Fuzz(func(t *testing.T, raw []byte, boundary string) {
		hasTestFile(raw)
		var out bytes.Buffer
		w := multipart.NewWriter(&out)
		if w.SetBoundary(boundary) != nil || bytes.Contains(raw, []byte("--"+boundary)) {
			return
		}
		fmt.Fprintf(&out, "Content-Type: multipart/mixed; boundary=%q\r\n\r\n", boundary)
		first, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/octet-stream"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := first.Write(raw); err != nil {
			t.Fatal(err)
		}
		second, err := w.CreatePart(textproto.MIMEHeader{"Content-Transfer-Encoding": {"base64"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(second, wrapped64(testBytes, 76)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !hasTestFile(out.Bytes()) {
			t.Errorf("hasTestFile(%q) = false, want true", out.Bytes())
		}
	})
}

func BenchmarkClean(b *testing.B) {
	attachment := message("Content-Transfer-Encoding: base64", wrapped64(strings.Repeat("hello ", 1<<20), 76))
	for name, raw := range map[string]string{
		"text":       crlf("From: a@example.com", "Subject: a", "Content-Type: text/plain", "", strings.Repeat("hello world\r\n", 100)),
		"parts":      message("Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable", strings.Repeat("<p>hello=20world\r\n", 70)),
		"attachment": attachment,
	} {
		b.Run(name, func(b *testing.B) {
			data := []byte(raw)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if hasTestFile(data) {
					b.Fatal("it is no test file")
				}
			}
		})
	}
}
