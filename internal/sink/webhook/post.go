package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"tidings/internal/sink"
)

// How connections are kept.
const (
	connectTimeout = 10 * time.Second // to connect, and again for the TLS handshake
	idleTimeout    = 90 * time.Second
	maxIdle        = 1_024 // per host: as many as delivery.concurrency may ask for
	maxHeader      = 64 << 10
	writeBuffer    = 8 << 10 // a request with one event goes out in one piece
)

// What is read of an answer's body: only so much that the connection can be used again,
// and only so long, because the status has said all.
const (
	maxBody      = 64 << 10
	bodyPatience = 250 * time.Millisecond
	maxExcerpt   = 200
)

// maxRetryAfter bounds what a server may ask for. What deliveries wait for at most is the
// courier's to say; a day is beyond all that it grants.
const maxRetryAfter = 24 * time.Hour

// newTransport makes the connections of one binding.
//
// It speaks HTTP/1.1. On loopback with TLS, HTTP/2 brought a fifth to a third fewer requests
// per second, because all share one connection; and one that hangs would take all
// deliveries with it.
func newTransport(s Settings, control func(context.Context, string, string, syscall.RawConn) error) *http.Transport {
	dialer := &net.Dialer{Timeout: connectTimeout, Resolver: s.Resolver, ControlContext: control}
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.Roots},
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		WriteBufferSize:        writeBuffer,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // of answers, of which next to nothing is read
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if s.AllowPrivate {
		// A proxy dials for us, so what it connects to cannot be judged here.
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// poster posts to one URL.
type poster struct {
	driver   *Driver
	template *http.Request // never sent itself
}

// host names the far end in errors. The rest of its URL may hold a token.
func (p *poster) host() string { return p.template.URL.Host }

// post sends the body and returns nil if the answer was 2xx.
func (p *poster) post(ctx context.Context, header http.Header, body []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("post to %s: %w", p.host(), err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := p.roundTrip(ctx, header, body)
	if err != nil {
		return fmt.Errorf("post to %s: %w", p.host(), err)
	}
	if resp.StatusCode/100 == 2 {
		finish(resp, cancel, nil)
		return nil
	}
	var text excerpt
	finish(resp, cancel, &text)
	return p.judge(resp, text.String())
}

// roundTrip sends the request. When a connection breaks it tries once more: most likely
// that was an idle one, which the server closed just then. net/http makes good by itself
// only what fails while the answer is read.
func (p *poster) roundTrip(ctx context.Context, header http.Header, body []byte) (*http.Response, error) {
	resp, err := p.driver.transport.RoundTrip(p.request(ctx, header, body))
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return p.driver.transport.RoundTrip(p.request(ctx, header, body))
	}
	return resp, err
}

func (p *poster) request(ctx context.Context, header http.Header, body []byte) *http.Request {
	r := p.template.WithContext(ctx)
	r.Header = header
	r.ContentLength = int64(len(body))
	// net/http knows this for a body in memory, and writes it together with the header.
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r
}

// finish reads the rest of an answer, within bounds, so that its connection can be used
// again. The excerpt gets the beginning, unless it is nil.
func finish(resp *http.Response, cancel context.CancelFunc, text *excerpt) {
	defer resp.Body.Close() //nolint:errcheck // nothing is written to it
	if resp.ContentLength == 0 || resp.StatusCode < 200 {
		return
	}
	timer := time.AfterFunc(bodyPatience, cancel)
	defer timer.Stop()
	body := io.LimitReader(resp.Body, maxBody)
	if text != nil {
		_, _ = io.CopyN(text, body, 4*maxExcerpt)
	}
	_, _ = io.Copy(io.Discard, body) // whatever goes wrong here, the status is known
}

// statusError is an answer that is no success.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

// judge makes an error of an answer that is not 2xx.
//
// 410 says that the consumer wants no more (Standard Webhooks 1.0.0, "Considerations for
// webhook delivery"; RFC 9110 section 15.5.11). Everything else an operator can mend, on
// either side, so it is tried again.
func (p *poster) judge(resp *http.Response, excerpt string) error {
	text := fmt.Sprintf("%s answered %s", p.host(), resp.Status)
	if resp.StatusCode/100 == 3 && resp.Header.Get("Location") != "" {
		text += fmt.Sprintf(": redirects are not followed (this one leads to %s); correct the URL", leadsTo(resp.Header.Get("Location"), p.host()))
	}
	if excerpt != "" {
		text += ": " + excerpt
	}
	var err error = &statusError{status: resp.StatusCode, text: text}
	if resp.StatusCode == http.StatusGone {
		return sink.Permanent(err)
	}
	if d := retryAfter(resp.Header.Get("Retry-After"), p.driver.now()); d > 0 {
		err = sink.RetryAfter(err, d)
	}
	return err
}

// leadsTo names the host that a Location leads to.
func leadsTo(location, host string) string {
	u, err := url.Parse(location)
	switch {
	case err != nil:
		return "nowhere"
	case u.Host == "":
		return host
	case u.Scheme != "":
		return cut(u.Scheme+"://"+u.Host, maxExcerpt)
	}
	return cut(u.Host, maxExcerpt)
}

// retryAfter reads a Retry-After header: seconds or a date (RFC 9110 section 10.2.3).
// 0 = it says nothing, or nothing that can be understood.
func retryAfter(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0
	}
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}

// excerpt keeps the beginning of what is written to it.
type excerpt struct{ b []byte }

func (e *excerpt) Write(p []byte) (int, error) {
	e.b = append(e.b, p...)
	return len(p), nil
}

// String returns the first printable characters on one line.
func (e *excerpt) String() string {
	visible := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, string(e.b))
	return cut(strings.Join(strings.Fields(visible), " "), maxExcerpt)
}

// cut shortens s to at most n bytes of whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// isTooLarge reports whether the far end finds the request too large.
func isTooLarge(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.status == http.StatusRequestEntityTooLarge
}
