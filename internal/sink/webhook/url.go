package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

// endpoint is the URL of a binding, with places for parts of an ARN. What is put there is
// data of one path segment or of the query: it can change neither scheme nor host, nor the
// number of segments, nor climb out of the path.
type endpoint struct {
	scheme, host string // of every URL that is made
	pieces       []piece
}

// piece is either text or a place.
type piece struct {
	text  string
	place string // "service", "region", "account" or "name"; "" = text
}

// parseEndpoint reads the URL of a binding. Its errors do not repeat the URL, which may
// hold a token.
func parseEndpoint(text string) (*endpoint, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return nil, errors.New("url: write it as https://host/path")
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	switch {
	case strings.ContainsFunc(text, unicode.IsControl):
		return nil, errors.New("url: holds control characters")
	case strings.ContainsAny(authority, "{}"):
		return nil, errors.New("url: placeholders may stand in the path and in the query, not in the host")
	case strings.Contains(path, "#"):
		return nil, errors.New("url: a fragment (#…) is never sent")
	}
	e := &endpoint{scheme: scheme, pieces: []piece{{text: scheme + "://" + authority}}}
	if err := e.parsePlaces(path); err != nil {
		return nil, err
	}
	u, err := e.fill(map[string]string{"service": "x", "region": "x", "account": "x", "name": "x"})
	if err != nil {
		return nil, err
	}
	switch port := u.Port(); {
	case u.User != nil:
		return nil, errors.New("url: credentials are not sent from here; use headers (Authorization)")
	case u.Hostname() == "":
		return nil, errors.New("url: names no host")
	case port == "" && strings.HasSuffix(u.Host, ":"), port != "" && !isPort(port):
		return nil, fmt.Errorf("url: %q has no port between 1 and 65535", u.Host)
	}
	e.host = u.Host
	return e, nil
}

// parsePlaces takes text apart.
func (e *endpoint) parsePlaces(text string) error {
	for text != "" {
		before, rest, open := strings.Cut(text, "{")
		if strings.Contains(before, "}") {
			return errors.New("url: } without {")
		}
		if before != "" {
			var b strings.Builder
			escape(&b, before, legal)
			e.pieces = append(e.pieces, piece{text: b.String()})
		}
		if !open {
			return nil
		}
		place, behind, closed := strings.Cut(rest, "}")
		switch place {
		case "service", "region", "account", "name":
		default:
			closed = false
		}
		if !closed {
			return fmt.Errorf("url: {%s is no placeholder: there are {service}, {region}, {account} and {name}", cut(place, 20))
		}
		e.pieces = append(e.pieces, piece{place: place})
		text = behind
	}
	return nil
}

// expand returns the URL for an ARN.
func (e *endpoint) expand(a arn.ARN) (*url.URL, error) {
	u, err := e.fill(map[string]string{"service": a.Service, "region": a.Region, "account": a.Account, "name": sink.ResourceName(a)})
	if err != nil {
		return nil, err
	}
	if u.Scheme != e.scheme || u.Host != e.host || u.User != nil || u.Opaque != "" {
		return nil, fmt.Errorf("the ARN %s leads out of the URL", a)
	}
	return u, nil
}

// fill puts values into their places.
func (e *endpoint) fill(values map[string]string) (*url.URL, error) {
	var b strings.Builder
	for _, p := range e.pieces {
		if p.place == "" {
			b.WriteString(p.text)
			continue
		}
		if values[p.place] == "" {
			return nil, fmt.Errorf("the ARN has nothing for {%s} in the URL", p.place)
		}
		escape(&b, values[p.place], unreserved)
	}
	u, err := url.Parse(b.String())
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL
		}
		return nil, fmt.Errorf("url: %w", err)
	}
	if climbs(u.EscapedPath()) {
		return nil, errors.New("url: its path would hold . or .. as a segment")
	}
	return u, nil
}

// What may stand in a URL beside letters and digits. Source: RFC 3986 sections 2.2 and 2.3.
const (
	unreserved = "-._~"                                 // is data wherever it stands
	legal      = unreserved + "!$&'()*+,;=:@[]" + "/?%" // in a path and a query as a whole
)

// escape writes s with all that is neither letter, digit nor one of the others as %XX. In a
// path that is not escaped throughout, net/url would take an escaped slash for a slash.
func escape(b *strings.Builder, s, others string) {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(others, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
}

// climbs reports whether a path has dot segments, also for a server that takes %2F or a
// backslash for a slash before it looks for them.
func climbs(escaped string) bool {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return true
	}
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// checkHost finds hosts that are known to be refused when they are dialled. All others are
// judged by the address that their name has then.
func (e *endpoint) checkHost() error {
	host := (&url.URL{Host: e.host}).Hostname()
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
		return fmt.Errorf("url: %s is this machine; set allow_private if that is meant", host)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if why := refusal(a); why != "" {
			return fmt.Errorf("url: %s is %s; set allow_private if that is meant", host, why)
		}
		return nil
	}
	// Some resolvers read 127.1, 0177.0.0.1 and 2130706433 as addresses (inet_aton), and no
	// name ends in a number. Source: URL Standard, "ends in a number checker".
	last := host[strings.LastIndex(host, ".")+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("url: %s is no name and no address; write an IPv4 address as four decimal numbers", host)
	}
	return nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
