// Package tracking learns that mails are opened and links followed: it puts a pixel into HTML and leads links through a server of
// our own, and it is that server.
//
// It follows the SES Developer Guide ("Monitoring your sending activity", "Configuring custom domains to handle open and click
// tracking", and "Email sending metrics FAQs"). What a link needs stands in the link itself, signed: there is no table of links, and no
// open redirect.
package tracking

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"net/url"
	"strings"

	"tidings/internal/mailmsg"
)

// The bounds of a message. Source: SES Developer Guide, "Email sending metrics FAQs" (links); "Service quotas" (MIME parts).
const (
	maxLinks = 250
	maxParts = 500
)

// Settings say where the links of mails lead.
type Settings struct {
	// URL is the base of what Handler serves, as the world sees it: "https://track.example", perhaps with a port and a path.
	// "" = nothing is tracked.
	URL string
	// PlainURL is the base for links that were http, as SES keeps the scheme of a link; "" = URL.
	PlainURL string
	// Secret signs links; at least 16 bytes. Whoever has it can make links that redirect anywhere. Links signed with another
	// secret are not served.
	Secret []byte
}

// Links puts pixels and links into messages, and reads them again. It is safe for concurrent use.
type Links struct {
	base, plain *url.URL // nil = nothing is tracked
	secret      []byte
}

// New fails if the settings cannot be used.
func New(s Settings) (*Links, error) {
	l := &Links{secret: s.Secret}
	if s.URL == "" {
		return l, nil
	}
	var err error
	if l.base, err = parseBase(s.URL); err != nil {
		return nil, err
	}
	l.plain = l.base
	if s.PlainURL != "" {
		if l.plain, err = parseBase(s.PlainURL); err != nil {
			return nil, err
		}
	}
	const least = 16
	if len(s.Secret) < least {
		return nil, fmt.Errorf("the secret of tracking links has %d bytes, fewer than %d", len(s.Secret), least)
	}
	return l, nil
}

func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("the URL of tracking links: %w", err)
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("the URL of tracking links is %q, not https://HOST or http://HOST", s)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// Track implements email.Tracker. A host of the set's own takes the place of the server's; port and path stay, as both lead to
// the same listener. Messages without HTML, and those that are signed or encrypted, stay as they are, byte for byte; so does every part
// that is not HTML, or that has nothing to be changed. It fails if the message's parts cannot be told apart.
func (l *Links) Track(raw []byte, id, host string, opens, clicks bool) ([]byte, error) {
	outline, err := mailmsg.Parts(raw, maxParts)
	if err != nil {
		return nil, fmt.Errorf("track the message: %w", err)
	}
	if outline.Signed {
		return raw, nil
	}
	w := rewriter{opens: opens && l.base != nil, clicks: clicks && l.base != nil, left: maxLinks, maker: l.maker(id, host)}
	var out []byte
	kept := 0
	for i := range outline.Leaves {
		leaf := &outline.Leaves[i]
		if leaf.Type != "text/html" || leaf.Attachment {
			continue
		}
		part, ok := w.part(leaf, raw)
		if !ok {
			continue
		}
		if out == nil {
			out = make([]byte, 0, len(raw)+len(raw)/2+1024)
		}
		out = append(append(out, raw[kept:leaf.Start]...), part...)
		kept = leaf.End
	}
	if kept == 0 {
		return raw, nil
	}
	return append(out, raw[kept:]...), nil
}

// part returns the part with its HTML rewritten, ok = false if nothing is to be changed, or nothing can be.
func (w *rewriter) part(leaf *mailmsg.Leaf, raw []byte) (changed []byte, ok bool) {
	content, err := leaf.Content(raw)
	if err != nil {
		return nil, false // damaged; what a client wrote is the client's to send
	}
	set := strings.ToLower(leaf.Params["charset"])
	if !shifting(set) { // its ASCII is ASCII: no need to know the rest
		html, changed := w.rewrite(content)
		if !changed {
			return nil, false
		}
		return leaf.Encode(raw, html), true
	}
	text, back, err := mailmsg.Decode(set, content)
	if err != nil {
		return nil, false
	}
	if same, err := back(text); err != nil || string(same) != string(content) {
		return nil, false // it would not stay what it is
	}
	html, wasChanged := w.rewrite([]byte(text))
	if !wasChanged {
		return nil, false
	}
	encoded, err := back(string(html))
	if err != nil {
		return nil, false
	}
	return leaf.Encode(raw, encoded), true
}

// shifting reports whether bytes that look like ASCII may be something else in the character set.
func shifting(set string) bool {
	return strings.HasPrefix(set, "iso-2022") || strings.HasPrefix(set, "utf-16") || strings.HasPrefix(set, "utf-32") ||
		set == "utf-7" || set == "hz-gb-2312"
}

// maker makes the links of one message.
type maker struct {
	base, plain string // where links begin, without the last slash
	id          string
	mac         hash.Hash
}

func (l *Links) maker(id, host string) maker {
	if l.base == nil {
		return maker{}
	}
	return maker{base: on(l.base, host), plain: on(l.plain, host), id: id, mac: hmac.New(sha256.New, l.secret)}
}

// on returns the base URL with another host; "" = its own.
func on(base *url.URL, host string) string {
	u := *base
	if host != "" {
		u.Host = host
		if port := base.Port(); port != "" {
			u.Host += ":" + port
		}
	}
	return u.String()
}
