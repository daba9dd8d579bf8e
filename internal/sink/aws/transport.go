package awssink

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// The bounds of the connections that all sinks of a driver share.
const (
	maxConnections  = 512 // to one host, which is what all topics of a region share
	idleConnections = 64
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

// transport bounds answers and, once its driver is closed, keeps no connection.
type transport struct {
	*http.Transport
	closed *atomic.Bool
}

// RoundTrip makes one request.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.closed.Load() {
		last := *r // a RoundTripper must not change the request it is given
		last.Close = true
		r = &last
	}
	answer, err := t.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.ContentLength > maxAnswer {
		return nil, errors.Join(errAnswerTooLong, answer.Body.Close())
	}
	answer.Body = &boundedBody{ReadCloser: answer.Body, left: maxAnswer}
	return answer, nil
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
