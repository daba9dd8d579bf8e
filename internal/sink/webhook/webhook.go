// Package webhook delivers events to URLs, in one of two shapes. Format "standard" is
// Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks): JSON, signed
// with shared secrets. Format "sns" is what Amazon SNS sends to an HTTP subscription, with
// the confirmation by the endpoint, so that what was written for SNS works as it is.
//
// Every request is a POST. It is answered with 2xx, or the delivery is tried again; see
// judge. Redirects are never followed. Unless a binding allows it, no connection is made to
// an address that is not public; see refusal.
package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"tidings/internal/sink"
)

// The formats.
const (
	FormatStandard = "standard"
	FormatSNS      = "sns"
)

// maxBatch bounds Settings.Batch: beyond it, requests outgrow what servers take by default.
const maxBatch = 1_000

// Settings are one binding of a configuration. URL and, for FormatSNS, Topics must be set.
type Settings struct {
	// URL is where to post. {service}, {region}, {account} and {name} in its path or query
	// stand for those of the ARN.
	URL          string
	Format       string            // FormatStandard or FormatSNS; "" = FormatStandard
	Secrets      []string          // "whsec_" and base64 of 24 to 64 bytes; each signs every request; only of FormatStandard
	Headers      map[string]string // sent with every request
	Batch        int               // events in a request, as a JSON array; 0 and 1 = one, by itself; at most 1,000
	AllowPrivate bool              // connect also to addresses that are not public, and through the proxy that the environment names
	Unconfirmed  bool              // deliver without a confirmed subscription; only of FormatSNS
	Topics       *Topics           // signs and keeps subscriptions; only of FormatSNS

	Version  string         // of Tidings, for the User-Agent of FormatStandard; "" = not said
	Logger   *slog.Logger   // nil = none
	Resolver *net.Resolver  // nil = the system's
	Roots    *x509.CertPool // who may vouch for servers; nil = the system's
}

// Driver opens webhooks of one binding. It is safe for concurrent use.
type Driver struct {
	endpoint    *endpoint
	signers     signers
	batch       int  // 1 = objects, more = arrays
	sns         bool // the format
	guarded     bool
	unconfirmed bool
	topics      *Topics // of sns
	header      http.Header
	transport   *http.Transport
	log         *slog.Logger
	now         func() time.Time
	dialing     func(netip.AddrPort) error // tests see here what would be connected to; nil in production

	life       context.Context // of what runs in the background
	end        context.CancelFunc
	background sync.WaitGroup
	mu         sync.Mutex
	closed     bool
	open       int // sinks
}

var errClosed = errors.New("closed")

// New makes a Driver. It fails if the settings cannot work, with every reason that can be
// known without the network; no reason holds a secret. Whoever makes a Driver must Close it.
func New(s Settings) (*Driver, error) {
	if s.Format == "" {
		s.Format = FormatStandard
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	e, err := parseEndpoint(s.URL)
	if err == nil && !s.AllowPrivate {
		err = e.checkHost()
	}
	signers, secretErr := newSigners(s.Secrets)
	header, headerErr := newHeader(s)
	if err := errors.Join(err, secretErr, headerErr, s.check()); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	d := &Driver{
		endpoint: e, signers: signers, batch: max(1, s.Batch), sns: s.Format == FormatSNS,
		guarded: !s.AllowPrivate, unconfirmed: s.Unconfirmed, topics: s.Topics,
		header: header, log: s.Logger, now: time.Now,
	}
	d.life, d.end = context.WithCancel(context.Background())
	d.transport = newTransport(s, d.control)
	d.warn()
	return d, nil
}

// check finds what does not go together.
func (s *Settings) check() error {
	var all []error
	wrong := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if s.Batch < 0 || s.Batch > maxBatch {
		wrong("batch %d: want 0 to %d", s.Batch, maxBatch)
	}
	switch s.Format {
	case FormatStandard:
		if s.Unconfirmed {
			wrong("unconfirmed is of format sns")
		}
	case FormatSNS:
		if len(s.Secrets) > 0 {
			wrong("secrets are of format standard; format sns signs with a key of its own")
		}
		if s.Batch > 1 {
			wrong("batch %d: SNS sends one notification in a request", s.Batch)
		}
		if s.Topics == nil {
			wrong("format sns has nobody to sign with")
		}
	default:
		wrong("format %q: want standard or sns", s.Format)
	}
	return errors.Join(all...)
}

// warn says what works but should be known.
func (d *Driver) warn() {
	if d.endpoint.scheme == "http" && d.guarded {
		d.log.Warn("webhook is not encrypted: everybody on the way reads the events; use https", "host", d.endpoint.host)
	}
	if !d.sns && len(d.signers) == 0 {
		d.log.Warn("webhook has no secrets: its requests are not signed, and the receiver cannot tell them from forged ones", "host", d.endpoint.host)
	}
}

// Check reports whether the ARN's parts fit into the URL.
func (d *Driver) Check(t sink.Target) error {
	_, err := d.endpoint.expand(t.ARN)
	return err
}

// Open returns a sink of the target. It touches no network.
func (d *Driver) Open(t sink.Target) (sink.Sink, error) {
	u, err := d.endpoint.expand(t.ARN)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	d.open++
	p := &poster{driver: d, template: (&http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(d.life)}
	if d.sns {
		return newSNSSink(p, t), nil
	}
	return newStandardSink(p, t), nil
}

// leave is called once by each sink that is closed.
func (d *Driver) leave() {
	d.mu.Lock()
	d.open--
	last := d.closed && d.open == 0
	d.mu.Unlock()
	if last {
		d.transport.CloseIdleConnections()
	}
}

// later runs f in the background, with a context that ends when the Driver is closed. It
// reports whether it does.
func (d *Driver) later(f func(context.Context)) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.background.Go(func() { f(d.life) })
	return true
}

// Close ends what runs in the background and closes idle connections. Sinks that are open
// work on.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.end()
	d.background.Wait()
	d.transport.CloseIdleConnections()
	return nil
}
