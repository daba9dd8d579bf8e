package smtpout

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

// peer is a mail server of another make, which does as it is told.
type peer struct {
	server *smtp.Server
	addr   string
	conns  *counted

	mail, rcpt func(address string) error // what it says; nil = 250
	data       func() error
	login      func(username, password string) error // nil = it has no AUTH

	mu   sync.Mutex
	got  []delivery
	hold chan struct{} // it does not answer to content before this is closed; nil = at once
	held chan struct{} // gets one for each content that is held
}

// delivery is a mail that a peer took.
type delivery struct {
	From string
	To   []string
	Data string
	TLS  bool
}

// newPeer starts a peer on loopback. edit changes it before that.
func newPeer(tb testing.TB, edit func(*peer)) *peer {
	tb.Helper()
	_, all := listenOn(tb, "127.0.0.1")
	return newPeerOn(tb, all[0], edit)
}

// newPeerOn starts a peer on this listener.
func newPeerOn(tb testing.TB, l net.Listener, edit func(*peer)) *peer {
	tb.Helper()
	p := &peer{held: make(chan struct{}, 1000)}
	p.server = smtp.NewServer(p)
	p.server.Domain = "peer.example"
	p.server.ErrorLog = quiet{}
	p.server.AllowInsecureAuth = true
	if edit != nil {
		edit(p)
	}
	p.addr = l.Addr().String()
	p.conns = &counted{Listener: l}
	var serving sync.WaitGroup
	serving.Go(func() { _ = p.server.Serve(p.conns) })
	tb.Cleanup(func() {
		_ = p.server.Close()
		serving.Wait()
	})
	return p
}

// quiet is for what a server says of clients that go away.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// counted counts connections.
type counted struct {
	net.Listener
	mu  sync.Mutex
	all []net.Conn
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		c.all = append(c.all, conn)
		c.mu.Unlock()
	}
	return conn, err
}

// connections returns how many there were.
func (p *peer) connections() int {
	p.conns.mu.Lock()
	defer p.conns.mu.Unlock()
	return len(p.conns.all)
}

// deliveries returns what was taken.
func (p *peer) deliveries() []delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// NewSession implements smtp.Backend.
func (p *peer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	s := &peerSession{p: p, conn: c}
	if p.login != nil {
		return &peerLogin{s}, nil
	}
	return s, nil
}

type peerSession struct {
	p    *peer
	conn *smtp.Conn
	delivery
}

func (s *peerSession) Reset()        { s.delivery = delivery{} }
func (s *peerSession) Logout() error { return nil }

func (s *peerSession) Mail(from string, _ *smtp.MailOptions) error {
	s.From = from
	if s.p.mail != nil {
		return s.p.mail(from)
	}
	return nil
}

func (s *peerSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.p.rcpt != nil {
		if err := s.p.rcpt(to); err != nil {
			return err
		}
	}
	s.To = append(s.To, to)
	return nil
}

func (s *peerSession) Data(r io.Reader) error {
	all, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.p.hold != nil {
		s.p.held <- struct{}{}
		<-s.p.hold
	}
	if s.p.data != nil {
		if err := s.p.data(); err != nil {
			return err
		}
	}
	s.delivery.Data = string(all)
	_, s.TLS = s.conn.TLSConnectionState()
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.got = append(s.p.got, s.delivery)
	return nil
}

// peerLogin is a session that wants a password.
type peerLogin struct{ *peerSession }

func (s *peerLogin) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *peerLogin) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error { return s.p.login(username, password) }), nil
}

func smtpError(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// certify makes a certificate for a name or an address, and who vouches for it.
func certify(tb testing.TB, name string) (tls.Certificate, *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// transport makes a Transport for the test. What is not set is made fit for tests.
func transport(tb testing.TB, s Settings) *Transport {
	tb.Helper()
	if s.Relay != "" && s.RelayTLS == "" {
		s.RelayTLS = RelayPlain
	}
	if s.Hello == "" {
		s.Hello = "tidings.example"
	}
	t, err := New(s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(t.Close)
	return t
}

// clock is the time of a test.
type clock struct {
	mu   sync.Mutex
	time time.Time
}

func newClock() *clock { return &clock{time: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

const content = "From: a@example.com\r\nSubject: hello\r\n\r\nHello\r\n"

// parcel is a mail to these recipients.
func parcel(to ...string) email.Parcel {
	p := email.Parcel{
		ID: "id", Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"},
		From: "bounce@example.com", Recipients: to, Data: []byte(content),
	}
	for i := range to {
		p.Indexes = append(p.Indexes, i)
	}
	return p
}

// deliver hands over within patience, and checks that each recipient is in exactly one reply.
func deliver(tb testing.TB, t *Transport, p email.Parcel) []email.Reply {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	replies := t.Deliver(ctx, p)
	var named []int
	for _, r := range replies {
		named = append(named, r.Recipients...)
	}
	slices.Sort(named)
	if !slices.Equal(named, p.Indexes) {
		tb.Errorf("Deliver(%v) names the recipients %v, want each once: %v", p.Recipients, named, p.Indexes)
	}
	return replies
}

// want compares replies, without the addresses of both ends.
func want(tb testing.TB, got []email.Reply, all ...email.Reply) {
	tb.Helper()
	if diff := cmp.Diff(all, got, cmpopts.IgnoreFields(email.Reply{}, "RemoteIP", "LocalIP", "Host", "TLS")); diff != "" {
		tb.Errorf("replies (-want +got):\n%s", diff)
	}
}

func TestRelayTakesAMail(t *testing.T) {
	t.Parallel()
	p := newPeer(t, nil)
	replies := deliver(t, transport(t, Settings{Relay: p.addr}), parcel("x@example.org", "y@example.net"))
	want(t, replies, email.Reply{Recipients: []int{0, 1}, Verdict: email.Delivered, Code: 250, Enhanced: "2.0.0", Text: "250 2.0.0 OK: queued"})
	if r := replies[0]; r.Host != "127.0.0.1" || r.RemoteIP != "127.0.0.1" || r.LocalIP != "127.0.0.1" || r.TLS != "" {
		t.Errorf("reply = %+v, want the addresses of both ends and no TLS", r)
	}
	wanted := []delivery{{From: "bounce@example.com", To: []string{"x@example.org", "y@example.net"}, Data: content}}
	if diff := cmp.Diff(wanted, p.deliveries()); diff != "" {
		t.Errorf("what the relay got (-want +got):\n%s", diff)
	}
}
