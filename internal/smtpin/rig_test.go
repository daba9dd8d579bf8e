package smtpin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tidings/internal/account"
	"tidings/internal/email"
	"tidings/internal/returnpath"
	"tidings/internal/smtpin"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keyID     = "AKIAIOSFODNN7EXAMPLE"
	secret    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	messageID = "0100019a8b3c4d5e-f81d4fae-7dec-41d0-a765-00a0c91e6bf6-000000"
)

var accounts = account.NewDirectory(
	&account.Key{ID: keyID, Secret: secret, Account: &account.Account{ID: "123456789012"}},
	&account.Key{ID: "AKIANOMAIL", Secret: secret, Account: &account.Account{ID: "123456789012"}, Allow: []string{"sms-voice:*"}},
	&account.Key{ID: "ASIATEMPORARY", Secret: secret, SessionToken: "token", Account: &account.Account{ID: "123456789012"}},
	&account.Key{ID: "AKIAEXPIRED", Secret: secret, Expires: time.Unix(1, 0), Account: &account.Account{ID: "123456789012"}},
)

// sent is what a sender was given.
type sent struct {
	tenant  tenant.Tenant
	request email.Request
	caller  string
}

// sender takes mail, or says why not.
type sender struct {
	mu   sync.Mutex
	all  []sent
	err  error
	hold chan struct{} // Send waits until it is closed; nil = it does not
	busy chan struct{} // Send says that it waits; nil = nobody is told
}

func (s *sender) Send(ctx context.Context, t tenant.Tenant, r email.Request) (string, error) {
	if s.busy != nil {
		close(s.busy)
	}
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", s.err
	}
	p, _ := account.FromContext(ctx)
	s.all = append(s.all, sent{t, r, p.Key.ID})
	return messageID, nil
}

func (s *sender) only(tb testing.TB) sent {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) != 1 {
		tb.Fatalf("%d mails were sent, want 1", len(s.all))
	}
	return s.all[0]
}

func (s *sender) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// intake remembers what it was told.
type intake struct {
	mu         sync.Mutex
	bounces    []toldBounce
	complaints []toldComplaint
	returned   []string
	err        error
}

type toldBounce struct {
	ID     string
	Bounce email.BackBounce
}

type toldComplaint struct {
	ID        string
	Complaint email.Complaint
}

func (i *intake) Bounced(_ context.Context, id string, b email.BackBounce) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return i.err
	}
	i.bounces = append(i.bounces, toldBounce{id, b})
	return nil
}

func (i *intake) Complained(_ context.Context, id string, c email.Complaint) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return i.err
	}
	i.complaints = append(i.complaints, toldComplaint{id, c})
	return nil
}

func (i *intake) Return(_ context.Context, id string, _ []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.returned = append(i.returned, id)
	return nil
}

// certificate makes one for 127.0.0.1, and the pool of those who trust it.
func certificate(tb testing.TB) (server, client *tls.Config) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

// run runs a listener until the test ends.
func run(tb testing.TB, l *smtpin.Listener, err error) string {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			tb.Errorf("Run = %v, want nil after a planned stop", err)
		}
	})
	return l.Addr().String()
}

// submission runs a listener for applications, on a loopback address and without TLS unless s says otherwise.
func submission(tb testing.TB, s smtpin.Submission) (address string) {
	tb.Helper()
	s.Listen = "127.0.0.1:0"
	s.Insecure = s.TLS == nil
	s.Accounts = accounts
	s.FailureDelay = time.Nanosecond
	l, err := smtpin.OpenSubmission(s)
	return run(tb, l, err)
}

var paths = returnpath.New([]byte("secret"), "bounces.example.com")

// returning runs a listener for what comes back.
func returning(tb testing.TB, in *intake, s smtpin.Settings) (address string) {
	tb.Helper()
	s.Listen = "127.0.0.1:0"
	if s.Now == nil {
		s.Now = func() time.Time { return time.Unix(1_800_000_000, 0).UTC() }
	}
	l, err := smtpin.OpenReturning(smtpin.Returning{Settings: s, Paths: paths, Addresses: []string{"fbl", "Abuse"}, Intake: in})
	return run(tb, l, err)
}

// talk is a conversation of lines.
type talk struct {
	tb testing.TB
	*textproto.Conn
	raw net.Conn
}

func dial(tb testing.TB, address string) *talk {
	tb.Helper()
	raw, err := new(net.Dialer).DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = raw.Close() })
	return &talk{tb: tb, Conn: textproto.NewConn(raw), raw: raw}
}

// expect reads a reply that begins with want.
func (t *talk) expect(want string) string {
	t.tb.Helper()
	for {
		line, err := t.ReadLine()
		if err != nil {
			t.tb.Fatalf("reply = %v, want %q", err, want)
		}
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if !strings.HasPrefix(line, want) {
			t.tb.Fatalf("reply = %q, want %q", line, want)
		}
		return line
	}
}

// say sends a line and expects a reply.
func (t *talk) say(line, want string) string {
	t.tb.Helper()
	if err := t.PrintfLine("%s", line); err != nil {
		t.tb.Fatal(err)
	}
	return t.expect(want)
}

// count reads a metric.
func count(tb testing.TB, r *prometheus.Registry, name string, labels ...string) float64 {
	tb.Helper()
	families, err := r.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if strings.Join(values, " ") == strings.Join(labels, " ") {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
