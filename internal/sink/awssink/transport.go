package awssink

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// The bounds of the connections that all sinks of a driver share.
const (
	// maxConnections is of one host, which all topics of a region share: those that hang
	// must not take the connections that others need.
	maxConnections  = 4_096
	idleConnections = 256
	dialTimeout     = 10 * time.Second
	idleTimeout     = time.Minute
	// requestTimeout bounds a request whose caller sets no earlier end.
	requestTimeout = 10 * time.Minute
	// maxAnswer bounds the body of an answer in bytes. The longest good one names the
	// 500 records of a PutRecordBatch and has some 150 KiB.
	maxAnswer = 1 << 20
)

var errAnswerTooLong = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

// newHTTPClient makes the client of a driver. Certificates are verified, redirects are
// answers like any other: a request is signed for one host alone. HTTP/2 is left out,
// because one silent connection would then hold up every request to its host.
func newHTTPClient(closed *atomic.Bool) *http.Client {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &transport{closed: closed, Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         dialer.DialContext,
			Protocols:           http1,
			TLSHandshakeTimeout: dialTimeout,
			MaxConnsPerHost:     maxConnections,
			MaxIdleConnsPerHost: idleConnections,
			IdleConnTimeout:     idleTimeout,
		}},
	}
}

// transport bounds answers, tells stale connections from a far end in trouble and, once
// its driver is closed, keeps no connection.
type transport struct {
	*http.Transport
	closed *atomic.Bool
}

// errStale marks the failure of a request on a connection that had been idle. Most likely
// the far end had closed it meanwhile, which says nothing about how the far end is.
var errStale = errors.New("a connection that was kept is broken")

// RoundTrip makes one request.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	reused := false
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused },
	})
	r = r.WithContext(ctx) // a copy: a RoundTripper must not change the request it is given
	r.Close = r.Close || t.closed.Load()
	if r.Body != nil && r.Body != http.NoBody {
		// The SDK closes the body as soon as the answer begins. net/http may still be looking for the
		// body's end; asked for it by WriteTo, a body that is closed fails, and the connection with it.
		r.Body = plainBody{r.Body, r.Body}
	}
	answer, err := t.Transport.RoundTrip(r)
	switch {
	case err != nil && reused && ctx.Err() == nil:
		t.CloseIdleConnections() // those of the same age are no better
		return nil, fmt.Errorf("%w: %w", errStale, err)
	case err != nil:
		return nil, err
	}
	if answer.ContentLength > maxAnswer {
		return nil, errors.Join(errAnswerTooLong, answer.Body.Close())
	}
	answer.Body = &boundedBody{ReadCloser: answer.Body, left: maxAnswer}
	return answer, nil
}

// plainBody can be read and closed, and nothing else.
type plainBody struct {
	io.Reader
	io.Closer
}

// boundedBody fails when there is more to read than there may be.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errAnswerTooLong
	}
	return n, err
}
