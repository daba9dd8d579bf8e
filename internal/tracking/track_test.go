package tracking

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	xhtml "golang.org/x/net/html"
	"pgregory.net/rapid"

	"tidings/internal/mailmsg"
)

// failer is a testing.TB or a *rapid.T.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// compose makes a message around HTML.
func compose(tb failer, html string, attachments ...mailmsg.Attachment) []byte {
	tb.Helper()
	raw, err := mailmsg.Compose(mailmsg.Content{
		From: "a@example.com", To: []string{"b@example.com"}, Subject: "s", Text: &mailmsg.Part{Data: "https://example.com/ stays"},
		HTML: &mailmsg.Part{Data: html}, Attachments: attachments, Date: time.Unix(0, 0).UTC(), MessageID: "m", Domain: "example.com",
	})
	if err != nil {
		tb.Fatalf("Compose = %v", err)
	}
	return raw
}

// htmlOf returns the HTML of a message, as the standard library reads it.
func htmlOf(tb failer, header mail.Header, body io.Reader) string {
	tb.Helper()
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		tb.Fatalf("ParseMediaType(%q) = %v", header.Get("Content-Type"), err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err == io.EOF {
				return ""
			}
			if err != nil {
				tb.Fatalf("NextRawPart = %v", err)
			}
			if html := htmlOf(tb, mail.Header(p.Header), p); html != "" {
				return html
			}
		}
	}
	if kind != "text/html" {
		return ""
	}
	if header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		tb.Fatalf("ReadAll = %v", err)
	}
	return string(data)
}

func readHTML(tb failer, raw []byte) string {
	tb.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		tb.Fatalf("ReadMessage = %v\n%s", err, raw)
	}
	return htmlOf(tb, m.Header, m.Body)
}

// hrefs returns where the anchors of HTML lead, as a browser sees it.
func hrefs(tb failer, html string) []string {
	tb.Helper()
	root, err := xhtml.Parse(strings.NewReader(html))
	if err != nil {
		tb.Fatalf("Parse(%q) = %v", html, err)
	}
	var all []string
	for n := range root.Descendants() {
		if n.Type != xhtml.ElementNode || n.Data != "a" {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "href" {
				all = append(all, a.Val)
			}
			if strings.HasPrefix(a.Key, "ses:") {
				tb.Errorf("the attribute %s was left", a.Key)
			}
		}
	}
	return all
}

// TestTrackLeadsBack makes mails with links of all kinds and sees that each link leads to where it led before.
func TestTrackLeadsBack(t *testing.T) {
	t.Parallel()
	l := links(t)
	rapid.Check(t, func(t *rapid.T) {
		var page strings.Builder
		var want []string
		for range rapid.IntRange(0, 12).Draw(t, "links") {
			page.WriteString(rapid.SampledFrom([]string{"", "<p>text</p>\n", "ü → 日本", "a\r\n", strings.Repeat("long ", 300), "<!-- x -->", "&amp;<br/>"}).Draw(t, "between"))
			target := rapid.SampledFrom([]string{"https://", "http://", "HTTPS://"}).Draw(t, "scheme") + "h.example" +
				rapid.StringMatching(`(/[A-Za-z0-9._~!$&'()*+,;=:@-]{0,12}|%2F|%C3%BC){0,5}(\?[a-z0-9=&%2F/?]{0,20})?(#[a-z/]{0,5})?`).Draw(t, "path")
			if _, err := url.Parse(target); err != nil {
				continue
			}
			want = append(want, target)
			attribute := `href="` + xhtml.EscapeString(target) + `"`
			fmt.Fprintf(&page, "<a %s%s>x</a>", rapid.SampledFrom([]string{"", `class="a" `, `ses:tags="a:b;" `}).Draw(t, "more"), attribute)
		}
		raw := compose(t, page.String())
		before := bytes.Clone(raw)
		out, err := l.Track(raw, messageID, "", true, true)
		if err != nil {
			t.Fatalf("Track = %v", err)
		}
		if !bytes.Equal(raw, before) {
			t.Fatal("Track changed what it was given")
		}
		var got []string
		for _, href := range hrefs(t, readHTML(t, out)) {
			u, err := url.Parse(href)
			if err != nil {
				t.Fatalf("Parse(%q) = %v", href, err)
			}
			if u.Host != "track.example" { // what is no valid link stays
				got = append(got, href)
				continue
			}
			token, err := l.read(u.EscapedPath())
			if err != nil || token.id != messageID {
				t.Fatalf("read(%q) = %+v, %v", href, token, err)
			}
			got = append(got, token.target)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("the links lead to %q, want %q", got, want)
		}
		for line := range strings.SplitSeq(string(out), "\r\n") {
			if len(line) > mailmsg.MaxLine {
				t.Fatalf("a line has %d bytes", len(line))
			}
		}
	})
}

func TestTrackKeepsTheRest(t *testing.T) {
	t.Parallel()
	l := links(t)
	file := mailmsg.Attachment{Name: "page.html", Data: []byte(`<a href="https://example.com/">`)}
	for name, html := range map[string]string{"7bit": "<p>x</p>", "quoted": "<p>ü</p> and some more text", "base64": "<p>日本語日本語日本語</p>"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := compose(t, html, file)
			out, err := l.Track(raw, messageID, "", false, true)
			if err != nil || !bytes.Equal(out, raw) {
				t.Errorf("Track without links = %v\n%s\nwant it as it was\n%s", err, out, raw)
			}
			out, err = l.Track(raw, messageID, "", true, true)
			if err != nil || bytes.Equal(out, raw) {
				t.Fatalf("Track = %v, nothing changed", err)
			}
			was, is := outline(t, raw), outline(t, out)
			if len(was.Leaves) != len(is.Leaves) {
				t.Fatalf("there are %d leaves, want %d", len(is.Leaves), len(was.Leaves))
			}
			if !bytes.Equal(raw[:was.Leaves[1].Body], out[:is.Leaves[1].Body]) {
				t.Errorf("what stands before the HTML changed:\n%s", out)
			}
			if !bytes.Equal(raw[was.Leaves[1].End:], out[is.Leaves[1].End:]) {
				t.Errorf("what stands behind the HTML changed:\n%s", out)
			}
		})
	}
}

func outline(tb failer, raw []byte) *mailmsg.Outline {
	tb.Helper()
	o, err := mailmsg.Parts(raw, maxParts)
	if err != nil {
		tb.Fatalf("Parts = %v", err)
	}
	return o
}

func TestTrackLeavesAlone(t *testing.T) {
	t.Parallel()
	l := links(t)
	const page = `<a href="https://example.com/">x</a>`
	for name, raw := range map[string]string{
		"text":         "Content-Type: text/plain\r\n\r\n" + page,
		"no header":    "\r\n" + page,
		"empty":        "",
		"signed":       "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n" + page + "\r\n--b--\r\n",
		"encrypted":    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--a\r\nContent-Type: text/html\r\n\r\n" + page + "\r\n--a--\r\n",
		"attachment":   "Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n" + page,
		"in a message": "Content-Type: message/rfc822\r\n\r\nContent-Type: text/html\r\n\r\n" + page,
		"damaged":      "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
	} {
		out, err := l.Track([]byte(raw), messageID, "", true, true)
		if err != nil || string(out) != raw {
			t.Errorf("%s: Track = %q, %v, want %q", name, out, err, raw)
		}
	}
}

func TestTrackReencodes(t *testing.T) {
	t.Parallel()
	l := links(t)
	for name, c := range map[string]struct{ header, body, wantEncoding string }{
		"7bit stays":              {"", "<p>x", ""},
		"7bit with long lines":    {"Content-Transfer-Encoding: 7bit\r\n", "<p>" + strings.Repeat("x", 950), "quoted-printable"},
		"8bit stays":              {"Content-Transfer-Encoding: 8bit\r\n", "<p>\xfc", "8bit"},
		"8bit with long lines":    {"Content-Transfer-Encoding: 8bit\r\n", "\xfc" + strings.Repeat("x", 950), "quoted-printable"},
		"quoted-printable stays":  {"Content-Transfer-Encoding: QUOTED-PRINTABLE\r\n", "=FC", "QUOTED-PRINTABLE"},
		"base64 stays":            {"Content-Transfer-Encoding: Base64\r\n", "PHA+/A==", "Base64"},
		"ISO-2022-JP is decoded":  {"Content-Type: text/html; charset=iso-2022-jp\r\n", "\x1b$B<a\x1b(B<p>", ""},
		"UTF-16 is decoded":       {"Content-Type: text/html; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n", "PABwAD4A", "base64"},
		"bytes of no set at all":  {"Content-Type: text/html; charset=bogus\r\nContent-Transfer-Encoding: 8bit\r\n", "\xff\xfe<p>", "8bit"},
		"a part that is a header": {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := c.header
			if !strings.Contains(header, "Content-Type") {
				header += "Content-Type: text/html; charset=iso-8859-1\r\n"
			}
			raw := []byte("X-Before:  as it was\r\n" + header + "\r\n" + c.body + "\r\n")
			if c.body == "" {
				raw = []byte("X-Before:  as it was\r\n" + header)
			}
			out, err := l.Track(raw, messageID, "", true, true)
			if err != nil {
				t.Fatalf("Track = %v", err)
			}
			if !bytes.Contains(out, []byte("X-Before:  as it was\r\n")) || !bytes.HasSuffix(out, []byte("\r\n")) {
				t.Errorf("Track = %q", out)
			}
			o := outline(t, out)
			if got := o.Leaves[0].Header.Get("Content-Transfer-Encoding"); got != c.wantEncoding {
				t.Errorf("Content-Transfer-Encoding = %q, want %q", got, c.wantEncoding)
			}
			was, errWas := outline(t, raw).Leaves[0].Content(raw)
			is, errIs := o.Leaves[0].Content(out)
			if errWas != nil || errIs != nil {
				t.Fatalf("Content = %v, %v", errWas, errIs)
			}
			set := o.Leaves[0].Params["charset"]
			before, _, _ := mailmsg.Decode(set, was)
			behind, _, _ := mailmsg.Decode(set, is)
			if set == "bogus" {
				before, behind = string(was), string(is)
			}
			at := strings.Index(behind, "<img ")
			if at < 0 || behind[:at]+behind[at+strings.IndexByte(behind[at:], '>')+1:] != before && before != "" {
				t.Errorf("the HTML is %q, want %q with a pixel", behind, before)
			}
		})
	}
}

func TestTrackOnOwnHost(t *testing.T) {
	t.Parallel()
	l, err := New(Settings{URL: "https://track.example:8443/t/", PlainURL: "http://track.example:8080", Secret: []byte("a secret of sixteen bytes")})
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	raw := compose(t, `<a href="https://a.example/"></a><a href="HTTP://b.example/">`)
	out, err := l.Track(raw, messageID, "links.shop.example", true, true)
	if err != nil {
		t.Fatalf("Track = %v", err)
	}
	html := readHTML(t, out)
	for _, want := range []string{`href="https://links.shop.example:8443/t/L0/https:%2F%2Fa.example%2F/`, `href="http://links.shop.example:8080/L0/HTTP:`, `src="https://links.shop.example:8443/t/I0/`} {
		if !strings.Contains(html, want) {
			t.Errorf("the HTML is %s, want %s in it", html, want)
		}
	}
}

func TestTrackOff(t *testing.T) {
	t.Parallel()
	l, err := New(Settings{})
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	raw := compose(t, `<a ses:no-track href="https://a.example/">{{ses:openTracker}}</a>`)
	out, err := l.Track(raw, messageID, "", true, true)
	if want := `<a href="https://a.example/"></a>`; err != nil || readHTML(t, out) != want {
		t.Errorf("Track = %q, %v, want %q", readHTML(t, out), err, want)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	secret := []byte("a secret of sixteen bytes")
	for _, s := range []Settings{
		{URL: "track.example", Secret: secret},
		{URL: "ftp://track.example", Secret: secret},
		{URL: "https://", Secret: secret},
		{URL: "https://u:p@track.example", Secret: secret},
		{URL: "https://track.example?x", Secret: secret},
		{URL: "https://track.example", Secret: []byte("short")},
		{URL: "https://track.example", PlainURL: "x", Secret: secret},
		{URL: "https://%zz", Secret: secret},
	} {
		if _, err := New(s); err == nil {
			t.Errorf("New(%+v) = nil, want an error", s)
		}
	}
}
