package mailmsg_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/mailmsg"
)

func TestRead(t *testing.T) {
	t.Parallel()
	const raw = "From: A <a@example.com>\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n =?UTF-8?Q?_aus?=\r\nX-Long:  one\r\n\ttwo\r\n  three  \r\nto : b@example.com\r\nTo: c@example.com,\r\n d@example.com\r\nX-Empty:\r\n\r\nbody: x\r\n"
	for name, raw := range map[string]string{"CRLF": raw, "LF": strings.ReplaceAll(raw, "\r\n", "\n")} {
		h, err := mailmsg.Read([]byte(raw))
		if err != nil {
			t.Fatalf("%s: Read = %v", name, err)
		}
		want := []mailmsg.Field{
			{Name: "From", Value: "A <a@example.com>"},
			{Name: "Subject", Value: "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?= =?UTF-8?Q?_aus?="},
			{Name: "X-Long", Value: "one\ttwo  three"},
			{Name: "to", Value: "b@example.com"},
			{Name: "To", Value: "c@example.com, d@example.com"},
			{Name: "X-Empty"},
		}
		if diff := cmp.Diff(want, h.Fields); diff != "" {
			t.Errorf("%s: Fields (-want +got):\n%s", name, diff)
		}
		if got := strings.TrimSpace(raw[h.Body:]); got != "body: x" {
			t.Errorf("%s: the body is %q", name, got)
		}
		if got := h.Decoded("subject"); got != "Grüße aus" {
			t.Errorf("%s: Decoded(subject) = %q", name, got)
		}
		to, err := h.Addresses("TO")
		if err != nil || len(to) != 3 || to[2].Local != "d" {
			t.Errorf("%s: Addresses(TO) = %v, %v, want three", name, to, err)
		}
		if got := h.Get("none"); got != "" {
			t.Errorf("%s: Get(none) = %q", name, got)
		}
	}
}

func TestReadEdges(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct{ fields, body int }{
		"":              {0, 0},
		"\r\n":          {0, 2},
		"\r\nx":         {0, 2},
		"A: b":          {1, 4},
		"A: b\r\n":      {1, 6},
		"A: b\r\n\r\nx": {1, 8},
		"A:\r\n b\n\nx": {1, 8},
	} {
		h, err := mailmsg.Read([]byte(raw))
		if err != nil || len(h.Fields) != want.fields || h.Body != want.body {
			t.Errorf("Read(%q) = %+v, %v, want %d fields and the body at %d", raw, h, err, want.fields, want.body)
		}
	}
	for name, raw := range map[string]string{
		"no field":      "A: b\r\nnonsense\r\n\r\n",
		"blank first":   " A: b\r\n\r\n",
		"no name":       ": b\r\n\r\n",
		"odd name":      "A b: c\r\n\r\n",
		"too large":     "A: " + strings.Repeat("b", mailmsg.MaxHeader),
		"too large too": "A: b\r\n" + strings.Repeat(" b\r\n", mailmsg.MaxHeader/4),
		"too many":      strings.Repeat("A: b\r\n", mailmsg.MaxFields+1),
	} {
		if h, err := mailmsg.Read([]byte(raw)); err == nil {
			t.Errorf("%s: Read = %d fields, nil, want an error", name, len(h.Fields))
		}
	}
}

func TestDecodeWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                              "plain",
		"=?iso-8859-1?Q?J=FCrgen?= x":        "Jürgen x",
		"=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=": "日本",
		"=?x-unknown?Q?a?=":                  "=?x-unknown?Q?a?=",
		"=?broken":                           "=?broken",
	} {
		if got := mailmsg.DecodeWords(in); got != want {
			t.Errorf("DecodeWords(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a\r\nb\r\n": "a\r\nb\r\n", "a\nb": "a\r\nb", "a\rb\r": "a\r\nb\r\n", "\n\r\n\r": "\r\n\r\n\r\n", "\r\r\n": "\r\n\r\n",
	} {
		if got := string(mailmsg.Normalize([]byte(in))); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestStrip(t *testing.T) {
	t.Parallel()
	const raw = "Bcc: x@example.com,\r\n y@example.com\r\nFrom: a\r\nX-SES-Message-Tags: a=b\r\nbcc : z\r\nnonsense\r\n\r\nBcc: body\r\n"
	want := "From: a\r\nX-SES-Message-Tags: a=b\r\nnonsense\r\n\r\nBcc: body\r\n"
	if got := string(mailmsg.Strip([]byte(raw), mailmsg.Names("BCC"))); got != want {
		t.Errorf("Strip(Bcc) = %q, want %q", got, want)
	}
	same := []byte(raw)
	if got := mailmsg.Strip(same, mailmsg.Names("Cc")); &got[0] != &same[0] {
		t.Errorf("Strip(Cc) = %q, want what it was given", got)
	}
	first := []byte("A: b\r\n\r\nc")
	if got := string(mailmsg.Strip(first, mailmsg.Names("a"))); got != "\r\nc" {
		t.Errorf("Strip(a) = %q", got)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	raw := []byte("A: 1\r\nB: 2\r\na: 3\r\n\r\nbody")
	got, err := mailmsg.Set(raw, "A", "ü "+strings.Repeat("word ", 30)+"end")
	if err != nil {
		t.Fatalf("Set = %v", err)
	}
	h, err := mailmsg.Read(got)
	if err != nil {
		t.Fatalf("Read = %v", err)
	}
	if len(h.Fields) != 2 || h.Fields[0].Name != "A" || h.Decoded("A") != "ü "+strings.Repeat("word ", 30)+"end" || !bytes.HasSuffix(got, []byte("B: 2\r\n\r\nbody")) {
		t.Errorf("Set = %q", got)
	}
	for _, f := range []mailmsg.Field{{Name: "A b", Value: "x"}, {Name: "", Value: "x"}, {Name: "A", Value: "x\r\nBcc: y"}} {
		if got, err := mailmsg.Set(raw, f.Name, f.Value); err == nil {
			t.Errorf("Set(%q, %q) = %q, nil, want an error", f.Name, f.Value, got)
		}
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	const raw = "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a bx\r\n--a b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n" +
		"--c \t\r\n\r\nplain\r\n--c\r\nContent-Type: TEXT/HTML; Charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=C3=BC\r\n--c--\r\n\r\n" +
		"--a b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=x\r\n\r\nContent-Type: text/html\r\n\r\nx\r\n--a b--\r\nepilogue\r\n--a b\r\n\r\nno part\r\n"
	o, err := mailmsg.Parts([]byte(raw), 5)
	if err != nil {
		t.Fatalf("Parts = %v", err)
	}
	type leaf struct {
		Type, Charset, Content string
		Attachment             bool
	}
	var got []leaf
	for _, l := range o.Leaves {
		content, err := l.Content([]byte(raw))
		if err != nil {
			t.Fatalf("Content = %v", err)
		}
		got = append(got, leaf{l.Type, l.Params["charset"], string(content), l.Attachment})
	}
	want := []leaf{{"text/plain", "", "plain", false}, {"text/html", "utf-8", "<p>ü", false}, {"message/rfc822", "", "Content-Type: text/html\r\n\r\nx", true}}
	if diff := cmp.Diff(want, got); diff != "" || o.Parts != 5 || o.Signed {
		t.Errorf("Parts = %d, signed %t, leaves (-want +got):\n%s", o.Parts, o.Signed, diff)
	}
	if _, err := mailmsg.Parts([]byte(raw), 4); err == nil {
		t.Error("Parts with room for 4 = nil, want an error")
	}
}

func TestPartsWithinBounds(t *testing.T) {
	t.Parallel()
	var deep strings.Builder
	for i := range 40 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	if _, err := mailmsg.Parts([]byte(deep.String()), 500); err == nil {
		t.Error("Parts of 40 multiparts in each other = nil, want an error")
	}
	for raw, want := range map[string]int{
		"": 1, "Content-Type: multipart/mixed\r\n\r\nx": 1, "Content-Type: multipart/mixed; boundary=a\r\n\r\nx": 1,
		"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n--a\r\n\r\n--a--": 3, "Content-Type: nonsense;;=\r\n\r\nx": 1,
	} {
		o, err := mailmsg.Parts([]byte(raw), 500)
		if err != nil || o.Parts != want {
			t.Errorf("Parts(%q) = %+v, %v, want %d", raw, o, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("From: a@b\r\nSubject: =?utf-8?q?x?=\r\n y\r\n\r\nbody"))
	f.Add([]byte("A: b\n\tc\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n--x--"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := mailmsg.Read(raw)
		if err != nil {
			return
		}
		for _, one := range h.Fields {
			if one.Name == "" || strings.ContainsAny(one.Name+one.Value, "\r\n") {
				t.Fatalf("Read(%q) has the field %q", raw, one)
			}
		}
		normal := mailmsg.Normalize(raw)
		if again := mailmsg.Normalize(normal); !bytes.Equal(again, normal) {
			t.Fatalf("Normalize(%q) = %q", normal, again)
		}
		if bare := mailmsg.Strip(raw, func(string) bool { return true }); len(h.Fields) > 0 {
			left, err := mailmsg.Read(bare)
			if err != nil || len(left.Fields) != 0 || !bytes.Equal(bare[left.Body:], raw[h.Body:]) {
				t.Fatalf("Strip(%q) = %q, %v", raw, bare, err)
			}
		}
		if set, err := mailmsg.Set(normal, "X-New", "value"); err == nil {
			if again, err := mailmsg.Read(set); err == nil && again.Get("x-new") != "value" {
				t.Fatalf("Set(%q) = %q", normal, set)
			}
		}
	})
}

func FuzzParts(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\na\r\n--x--\r\n"))
	f.Add([]byte("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ=="))
	f.Add([]byte("Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41=\r\nb \r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = mailmsg.Normalize(raw)
		o, err := mailmsg.Parts(raw, 100)
		if err != nil {
			return
		}
		end := 0
		for _, l := range o.Leaves {
			if l.Start < end || l.Body < l.Start || l.End < l.Body || l.End > len(raw) {
				t.Fatalf("Parts(%q) has a leaf at %d, %d, %d behind %d", raw, l.Start, l.Body, l.End, end)
			}
			end = l.End
			content, err := l.Content(raw)
			if err != nil {
				continue
			}
			// What Encode makes of the part has to be read as the same content again.
			whole := l.Encode(raw, content)
			again, err := mailmsg.Parts(whole, 1)
			if err != nil || len(again.Leaves) != 1 {
				t.Fatalf("Encode of %q = %q, which has no single part: %v", raw[l.Start:l.End], whole, err)
			}
			got, err := again.Leaves[0].Content(whole)
			if err != nil || !bytes.Equal(bytes.TrimSuffix(got, []byte("\r\n")), bytes.TrimSuffix(content, []byte("\r\n"))) {
				t.Fatalf("Encode(%q) of %q = %q, read as %q, %v", content, raw[l.Start:l.End], whole, got, err)
			}
		}
	})
}
