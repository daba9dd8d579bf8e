package tracking

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"tidings/internal/mailmsg"
)

func FuzzTrack(f *testing.F) {
	f.Add([]byte("Content-Type: text/html\r\n\r\n<a href=\"https://e/\">"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=3Ca=20href=3Dhttps://e=\r\n>\r\n--a--\r\n"))
	f.Add([]byte("Content-Type: text/html; charset=iso-2022-jp\r\n\r\n\x1b$B<a\x1b(B"))
	l, err := New(Settings{URL: "https://track.example", Secret: []byte("a secret of sixteen bytes")})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = mailmsg.Normalize(raw)
		out, err := l.Track(raw, messageID, "", true, true)
		if err != nil {
			return
		}
		was, is := outline(t, raw), outline(t, out)
		if was.Parts != is.Parts || len(was.Leaves) != len(is.Leaves) {
			t.Fatalf("Track(%q) = %q has %d parts, want %d", raw, out, is.Parts, was.Parts)
		}
		for i := range was.Leaves {
			a, b := &was.Leaves[i], &is.Leaves[i]
			if a.Type == "text/html" && !a.Attachment {
				continue
			}
			if !bytes.Equal(raw[a.Start:a.End], out[b.Start:b.End]) {
				t.Fatalf("Track(%q) changed part %d to %q", raw, i, out[b.Start:b.End])
			}
		}
	})
}

// FuzzRewrite sees that HTML which is not to be tracked stays as it is but for what only concerns tracking, and that rewriting
// goes through anything.
func FuzzRewrite(f *testing.F) {
	for _, s := range []string{`<a href="https://e/" ses:no-track>`, `<a ses:tags='a:b;'href=https://e/>`, "<plaintext><a", "<!--", "<script><!--<script>", "</a/>", "<a =x ==>", "<\x00a>", "<![CDATA["} {
		f.Add(s)
	}
	l, err := New(Settings{URL: "https://track.example", Secret: []byte("a secret of sixteen bytes")})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		idle := rewriter{left: maxLinks}
		out, changed := idle.rewrite([]byte(in))
		if !changed && string(out) != in {
			t.Fatalf("rewrite(%q) = %q, and says that nothing changed", in, out)
		}
		if again, more := idle.rewrite(out); more && !strings.Contains(in, "ses:") {
			t.Fatalf("rewrite(rewrite(%q)) = %q", in, again)
		}
		if !strings.Contains(strings.ToLower(in), "ses:") && changed {
			t.Fatalf("rewrite(%q) = %q", in, out)
		}
		w := rewriter{opens: true, clicks: true, left: maxLinks, maker: l.maker(messageID, "")}
		tracked, _ := w.rewrite([]byte(in))
		if !bytes.Contains(tracked, []byte("/I0/")) {
			t.Fatalf("rewrite(%q) = %q, want a pixel in it", in, tracked)
		}
	})
}

func BenchmarkTrack(b *testing.B) {
	var page strings.Builder
	page.WriteString("<html><head><style>p{color:#333}</style></head><body>\r\n")
	for i := range 20 {
		fmt.Fprintf(&page, "<table><tr><td style=\"padding:10px;font-family:Arial\"><a href=\"https://shop.example/products/%d?utm_source=mail&amp;utm_campaign=spring\">Produkt Nr. %d für Sie</a></td></tr></table>\r\n%s\r\n", i, i, strings.Repeat("<p class=\"x\">Some text of a newsletter.</p>\r\n", 18))
	}
	page.WriteString("</body></html>\r\n")
	raw := compose(b, page.String())
	l := links(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Track(raw, messageID, "", true, true); err != nil {
			b.Fatal(err)
		}
	}
}
