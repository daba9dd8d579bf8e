package tracking

import (
	"strings"
	"testing"

	"tidings/internal/email"
)

var _ email.Tracker = (*Links)(nil)

const messageID = "0100018f0a1b2c3d-01234567-89ab-cdef-0123-456789abcdef-000000"

func links(tb failer) *Links {
	tb.Helper()
	l, err := New(Settings{URL: "https://track.example", Secret: []byte("a secret of sixteen bytes")})
	if err != nil {
		tb.Fatalf("New = %v", err)
	}
	return l
}

// rewrite runs HTML through a fresh rewriter, and writes LINK(target|tags) and PIXEL for what is ours, so that a table can be read.
func rewrite(tb failer, in string, opens, clicks bool) string {
	tb.Helper()
	l := links(tb)
	w := rewriter{opens: opens, clicks: clicks, left: maxLinks, maker: l.maker(messageID, "")}
	out, changed := w.rewrite([]byte(in))
	if changed != (string(out) != in) {
		tb.Errorf("rewrite(%q) reports changed = %t, and gives %q", in, changed, out)
	}
	s := strings.ReplaceAll(string(out), w.pixel(), "PIXEL")
	const mark = "https://track.example"
	for {
		at := strings.Index(s, mark)
		if at < 0 {
			return s
		}
		end := at + strings.IndexAny(s[at:], `"<> `)
		path := strings.NewReplacer("&amp;", "&", "&#39;", "'", "&#34;", `"`).Replace(s[at+len(mark) : end])
		t, err := l.read(path)
		if err != nil || t.id != messageID {
			tb.Fatalf("read(%q) = %+v, %v", path, t, err)
		}
		s = s[:at] + "LINK(" + t.target + "|" + t.tags + ")" + s[end:]
	}
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"nothing":              {"", "PIXEL"},
		"link":                 {`<a href="https://example.com/a?b=1&amp;c=2#d">x</a>`, `<a href="LINK(https://example.com/a?b=1&c=2#d|)">x</a>PIXEL`},
		"single quotes":        {`<A HREF='http://example.com'>`, `<A HREF="LINK(http://example.com|)">PIXEL`},
		"no quotes":            {`<a href=http://example.com/ class=x>`, `<a href="LINK(http://example.com/|)" class=x>PIXEL`},
		"blanks around":        {"<a\n href = \" https://example.com \"\t>", "<a\n href=\"LINK(https://example.com|)\"\t>PIXEL"},
		"opted out":            {`<a href="https://example.com" ses:no-track>x</a>`, `<a href="https://example.com">x</a>PIXEL`},
		"opted out first":      {`<a ses:no-track href="https://example.com">x</a>`, `<a href="https://example.com">x</a>PIXEL`},
		"opted out with value": {`<a SES:No-Track="" href=https://example.com>`, `<a href=https://example.com>PIXEL`},
		"tags":                 {`<a ses:tags="k:v;k2:v2;" href="https://example.com">`, `<a href="LINK(https://example.com|k:v;k2:v2;)">PIXEL`},
		"tags without blank":   {`<a ses:tags="k:v"href="https://example.com">`, `<a href="LINK(https://example.com|k:v)">PIXEL`},
		"other schemes":        {`<a href="mailto:a@example.com"><a href="tel:1"><a href="#x"><a href="/x"><a href="ftp://x/">`, `<a href="mailto:a@example.com"><a href="tel:1"><a href="#x"><a href="/x"><a href="ftp://x/">PIXEL`},
		"not of RFC 3986":      {`<a href="https://example.com/a b"><a href="https://example.com/ü"><a href="https://e/%zz"><a href="https://">`, `<a href="https://example.com/a b"><a href="https://example.com/ü"><a href="https://e/%zz"><a href="https://">PIXEL`},
		"placeholders":         {`<a href="{{unsubscribe}}"><a href="https://e/{{x}}">`, `<a href="{{unsubscribe}}"><a href="https://e/{{x}}">PIXEL`},
		"only anchors":         {`<img src="https://e/"><link href="https://e/"><abbr href="https://e/">`, `<img src="https://e/"><link href="https://e/"><abbr href="https://e/">PIXEL`},
		"not in comments":      {`<!-- <a href="https://e/"> --><style><a href="https://e/"></style>`, `<!-- <a href="https://e/"> --><style><a href="https://e/"></style>PIXEL`},
		"second href":          {`<a href="#" href="https://e/">`, `<a href="#" href="https://e/">PIXEL`},
		"body":                 {`<html><body>x</body></html>`, `<html><body>xPIXEL</body></html>`},
		"last body":            {`<body>x</body>y</BODY >z`, `<body>x</body>yPIXEL</BODY >z`},
		"html alone":           {"<html>x</html>\r\n", "<html>xPIXEL</html>\r\n"},
		"placeholder":          {`a{{ses:openTracker}}b{{ses:openTracker}}</body>`, `aPIXELb</body>`},
		"placeholder in style": {`<style>{{ses:openTracker}}</style>{{ses:openTracker}}`, `<style></style>PIXEL`},
		"placeholder in tag":   {`<p title="{{ses:openTracker}}">`, `<p title="">PIXEL`},
		"cut off":              {`x<a href="https://e/`, `x<a href="https://e/PIXEL`},
		"odd markup":           {"<a\x00 href=https://e/ x='\">'><b =a=b / c>&amp;&bogus;<![CDATA[x]]><?php ?>", "<a\x00 href=https://e/ x='\">'><b =a=b / c>&amp;&bogus;<![CDATA[x]]><?php ?>PIXEL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := rewrite(t, c.in, true, true); got != c.want {
				t.Errorf("rewrite(%q)\n got %q\nwant %q", c.in, got, c.want)
			}
		})
	}
}

func TestRewriteWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	const in = `<a ses:tags="k:v" href="https://e.example/">{{ses:openTracker}}</a><a ses:no-track href="https://e.example/">`
	for _, c := range []struct {
		opens, clicks bool
		want          string
	}{
		{false, false, `<a href="https://e.example/"></a><a href="https://e.example/">`},
		{true, false, `<a href="https://e.example/">PIXEL</a><a href="https://e.example/">`},
		{false, true, `<a href="LINK(https://e.example/|k:v)"></a><a href="https://e.example/">`},
	} {
		if got := rewrite(t, in, c.opens, c.clicks); got != c.want {
			t.Errorf("rewrite(opens %t, clicks %t)\n got %q\nwant %q", c.opens, c.clicks, got, c.want)
		}
	}
}

func TestRewriteAtMost(t *testing.T) {
	t.Parallel()
	got := rewrite(t, strings.Repeat(`<a href="https://e.example/">`, maxLinks+3), false, true)
	if n := strings.Count(got, "LINK("); n != maxLinks {
		t.Errorf("%d links were rewritten, want %d", n, maxLinks)
	}
	if n := strings.Count(got, `<a href="https://e.example/">`); n != 3 {
		t.Errorf("%d links were left, want 3", n)
	}
}
