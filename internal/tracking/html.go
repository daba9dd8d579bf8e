package tracking

import (
	"bytes"
	"html"
	"net/url"
	"strings"

	xhtml "golang.org/x/net/html"
)

// placeholder is where a client wants the pixel.
// Source: SES Developer Guide, "Email sending metrics FAQs", "Where is the open tracking pixel placed".
const placeholder = "{{ses:openTracker}}"

// maxTags is how long the tags of a link may be, in bytes: they go with each click. Longer ones are left out.
const maxTags = 1024

// rewriter changes the HTML of one message.
type rewriter struct {
	opens, clicks bool
	maker         maker
	left          int // links that may still be rewritten
}

// page is HTML that is being rewritten.
type page struct {
	out     []byte
	pixel   bool // it is in
	body    int  // where the last </body> stands in out; -1 = there was none
	end     int  // where the last </html> stands
	raw     bool // the next text is no text: a script, a style, a title
	changed bool
}

// rewrite returns the HTML with links led through us and a pixel, as far as asked for, and reports whether anything was changed.
// All that is not changed stays byte for byte: the tokenizer only tells where things begin and end.
func (w *rewriter) rewrite(in []byte) ([]byte, bool) {
	p := &page{out: make([]byte, 0, len(in)+len(in)/2+512), body: -1, end: -1}
	z := xhtml.NewTokenizer(bytes.NewReader(in))
	for at := 0; ; {
		kind := z.Next()
		n := len(z.Raw())
		token := in[at : at+n]
		at += n
		if kind == xhtml.ErrorToken {
			w.token(p, kind, token)
			w.token(p, kind, in[at:])
			break
		}
		w.token(p, kind, token)
	}
	w.finish(p)
	return p.out, p.changed
}

func (w *rewriter) token(p *page, kind xhtml.TokenType, token []byte) {
	name := tagName(token)
	switch kind {
	case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
		if p.raw = isRaw(name); len(name) == 1 && (name[0] == 'a' || name[0] == 'A') {
			w.anchor(p, token)
			return
		}
	case xhtml.EndTagToken:
		p.raw = false
		switch {
		case strings.EqualFold(string(name), "body"):
			p.body = len(p.out)
		case strings.EqualFold(string(name), "html"):
			p.end = len(p.out)
		}
	case xhtml.TextToken:
		w.text(p, token)
		return
	case xhtml.ErrorToken, xhtml.CommentToken, xhtml.DoctypeToken:
	}
	p.cut(token)
}

// cut appends a token without placeholders.
func (p *page) cut(token []byte) {
	if bytes.Contains(token, []byte(placeholder)) {
		token = bytes.ReplaceAll(token, []byte(placeholder), nil)
		p.changed = true
	}
	p.out = append(p.out, token...)
}

// text puts the pixel where the first placeholder is.
func (w *rewriter) text(p *page, token []byte) {
	before, behind, ok := bytes.Cut(token, []byte(placeholder))
	if !ok || p.pixel || p.raw || !w.opens {
		p.cut(token)
		return
	}
	p.out = append(p.out, before...)
	p.out = append(p.out, w.pixel()...)
	p.pixel, p.changed = true, true
	p.cut(behind)
}

// finish puts the pixel where the body ends, if it is not in yet.
func (w *rewriter) finish(p *page) {
	if !w.opens || p.pixel {
		return
	}
	at := len(bytes.TrimRight(p.out, " \t\r\n")) // before the last line end
	switch {
	case p.body >= 0:
		at = p.body
	case p.end >= 0:
		at = p.end
	}
	tail := bytes.Clone(p.out[at:])
	p.out = append(append(p.out[:at], w.pixel()...), tail...)
	p.changed = true
}

// pixel returns the image that tells of an open.
func (w *rewriter) pixel() string {
	return `<img alt="" src="` + w.maker.pixel() + `" width="1" height="1" style="border:0;width:1px;height:1px;">`
}

// anchor leads the link of an <a> through us, and takes away what is said to us alone.
func (w *rewriter) anchor(p *page, tag []byte) {
	var href, tags *attribute
	opted := false
	attributes := readAttributes(tag)
	for i := range attributes {
		a := &attributes[i]
		switch {
		case a.is("href") && href == nil: // the first one counts. Source: HTML, "Attribute name state"
			href = a
		case a.is("ses:tags") && tags == nil:
			tags = a
		case a.is("ses:no-track"):
			opted = true
		}
	}
	link := ""
	if w.clicks && !opted && href != nil && w.left > 0 {
		if target, ok := trackable(href.value); ok {
			w.left--
			link = w.maker.link(target, linkTags(tags))
		}
	}
	at := 0
	for i := range attributes {
		a := &attributes[i]
		switch {
		case a.is("ses:tags"), a.is("ses:no-track"):
			p.cut(tag[at:a.start])
			if next := tag[a.end]; !isBlank(next) && next != '>' && next != '/' { // ses:tags="a:b"href="…"
				p.out = append(p.out, ' ')
			}
		case a == href && link != "":
			p.cut(tag[at:a.start])
			p.out = append(p.out, tag[a.start:a.nameEnd]...)
			p.out = append(append(append(p.out, `="`...), html.EscapeString(link)...), '"')
		default:
			continue
		}
		p.changed = true
		at = a.end
	}
	p.cut(tag[at:])
}

// linkTags returns the tags that go with a link.
func linkTags(a *attribute) string {
	if a == nil || len(a.value) > maxTags {
		return ""
	}
	return strings.TrimSpace(a.value)
}

// maxTarget is how long a link may be that is led through us: far below what browsers and mail programs take.
const maxTarget = 4096

// trackable returns where a link leads, if it is one that can be led through us: http or https, and in the form of RFC 3986.
// What else stands in a link, such as a placeholder or a blank, is left alone. Source: SES Developer Guide, "Email sending metrics FAQs".
func trackable(value string) (string, bool) {
	target := strings.TrimSpace(value)
	scheme, _, _ := strings.Cut(target, ":")
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || len(target) > maxTarget || !isURI(target) {
		return "", false
	}
	u, err := url.Parse(target)
	return target, err == nil && u.Hostname() != ""
}

// isURI reports whether s has only characters that a URI may have, and escapes that are whole.
// Source: RFC 3986 sections 2.1 to 2.3.
func isURI(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~:/?#[]@!$&'()*+,;=", c) >= 0:
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
