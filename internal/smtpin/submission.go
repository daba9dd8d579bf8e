package smtpin

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"tidings/internal/account"
	"tidings/internal/email"
	"tidings/internal/fault"
)

// Submission is a listener for applications that send (RFC 6409).
type Submission struct {
	Settings
	Implicit bool // connections begin with TLS (RFC 8314 3.3)
	Insecure bool // credentials may come without TLS; only on a loopback address
	// MaxRecipients is how many a message may have; 0 = 50.
	// Source: SES Developer Guide, "Service quotas in Amazon SES".
	MaxRecipients int
	Accounts      *account.Directory
	// Regions are those whose passwords are known; nil = Regions().
	Regions []string
	// PlainSecrets lets secret access keys be passwords, too. They stand for the first region.
	PlainSecrets bool
	FailureDelay time.Duration // before wrong credentials are refused, times how often they were; 0 = 1 s
	Sender       Sender
}

// action is what a key must allow. Source: SES Developer Guide, "Obtaining Amazon SES SMTP credentials".
const action = "ses:SendRawEmail"

// OpenSubmission listens for applications that send.
func OpenSubmission(s Submission) (*Listener, error) {
	if s.Implicit && s.TLS == nil {
		return nil, errors.New("listen for mail: TLS from the beginning needs a certificate")
	}
	if s.TLS == nil && !s.Insecure {
		return nil, errors.New("listen for mail: without a certificate nobody can authenticate")
	}
	ln, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w", err)
	}
	if s.Insecure && !isLoopback(ln.Addr()) {
		return nil, errors.Join(fmt.Errorf("listen for mail: credentials without TLS are for loopback addresses only, not for %s", ln.Addr()), ln.Close())
	}
	return submissionOn(ln, s), nil
}

func isLoopback(a net.Addr) bool {
	p, err := netip.ParseAddrPort(a.String())
	return err == nil && p.Addr().IsLoopback()
}

func submissionOn(ln net.Listener, s Submission) *Listener {
	s.Settings = s.withDefaults()
	s.FailureDelay = cmp.Or(s.FailureDelay, time.Second)
	if len(s.Regions) == 0 {
		s.Regions = Regions()
	}
	keys := &keyring{accounts: s.Accounts, regions: s.Regions, plain: s.PlainSecrets, now: s.Now}
	l := open(ln, "submission", s.Settings, s.Implicit, func(l *Listener, c *smtp.Conn) smtp.Session {
		return &submission{l: l, s: &s, keys: keys, smtp: c, conn: beneath(c.Conn())}
	})
	l.server.AllowInsecureAuth = s.Insecure
	l.server.MaxRecipients = cmp.Or(s.MaxRecipients, 50)
	return l
}

// submission is a session of an application.
type submission struct {
	l    *Listener
	s    *Submission
	keys *keyring
	smtp *smtp.Conn
	conn *conn
	who  account.Principal // Key is nil until somebody has authenticated

	from string
	to   []string
}

var (
	errMustTLS     = as(530, "Must issue a STARTTLS command first") // RFC 3207 4
	errMustAuth    = as(530, "Authentication required")
	errCredentials = as(535, "Authentication Credentials Invalid")
	errMailFrom    = as(501, "Invalid MAIL FROM address provided")
	errRcptTo      = as(501, "Invalid RCPT TO address provided")
)

// AuthMechanisms are those of SES.
func (s *submission) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth begins an authentication.
func (s *submission) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, user, password string) error {
			if identity != "" && identity != user {
				return s.refuse(user)
			}
			return s.authenticate(user, password)
		}), nil
	case sasl.Login:
		return &login{authenticate: s.authenticate}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *submission) authenticate(user, password string) error {
	who, ok := s.keys.open(user, password)
	if !ok {
		return s.refuse(user)
	}
	s.who = who
	return nil
}

// refuse lets whoever guesses wait.
func (s *submission) refuse(user string) error {
	times, last := s.conn.failedAuth()
	s.s.Metrics.authFailed()
	const longestID = 128 // IAM API Reference, "AccessKey"
	s.s.Log.Info("smtp credentials are refused", "key", user[:min(len(user), longestID)], "client", s.conn.client)
	timer := time.NewTimer(time.Duration(times) * s.s.FailureDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.conn.guard.stopping:
	}
	if last {
		return errTooMany
	}
	return errCredentials
}

// Mail begins a message.
func (s *submission) Mail(from string, _ *smtp.MailOptions) error {
	_, encrypted := s.smtp.TLSConnectionState()
	switch {
	case !encrypted && !s.s.Insecure:
		return s.failed(errMustTLS)
	case s.who.Key == nil:
		return s.failed(errMustAuth)
	case !s.who.Key.Allows(action):
		return s.failed(as(554, "Access denied: User "+s.who.Key.ID+" is not authorized to perform "+action))
	}
	address, ok := mailbox(from)
	if !ok {
		return s.failed(errMailFrom)
	}
	s.from = address
	return nil
}

// Rcpt adds a recipient.
func (s *submission) Rcpt(to string, _ *smtp.RcptOptions) error {
	address, ok := mailbox(to)
	if !ok {
		return s.failed(errRcptTo)
	}
	s.to = append(s.to, address)
	return nil
}

// failed counts an error, and ends the connection after too many.
func (s *submission) failed(reply *smtp.SMTPError) error {
	if s.conn.failed() {
		return errTooMany
	}
	return reply
}

// Data takes the message.
func (s *submission) Data(r io.Reader) error {
	from, to := s.from, s.to
	return s.l.receive(s.smtp.Conn(), r, func(ctx context.Context, raw []byte) *smtp.SMTPError {
		return s.send(ctx, from, to, raw)
	})
}

func (s *submission) send(ctx context.Context, from string, to []string, raw []byte) *smtp.SMTPError {
	began := s.s.Now()
	id, err := s.s.Sender.Send(account.NewContext(ctx, s.who), s.who.Tenant(), email.Request{
		Operation: "SendSmtpEmail", // what the tag ses:operation says of mail that came by SMTP
		Large:     true,
		Origin:    email.Origin{IP: s.conn.client, TLS: s.version(), Caller: s.who.Key.ID},
		From:      from,
		Raw:       &email.Raw{Data: raw, Envelope: to},
	})
	reply, result := as(250, "Ok "+id), accepted
	if err != nil {
		f := fault.From(err)
		reply, result = refusal(f), refused
		if reply.Code < 500 {
			result = failed
		}
		if f.Kind == fault.Internal {
			s.s.Log.Error("a submission cannot be taken", "account", s.who.Key.Account.ID, "region", s.who.Region, "error", err)
		}
	}
	s.s.Metrics.message(s.l.name, result)
	s.s.Log.Info("submission", "message", id, "account", s.who.Key.Account.ID, "region", s.who.Region, "key", s.who.Key.ID,
		"recipients", len(to), "bytes", len(raw), "code", reply.Code, "duration", s.s.Now().Sub(began))
	return reply
}

// versions are those of TLS in the spelling of SES's event records.
var versions = map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}

func (s *submission) version() string {
	state, encrypted := s.smtp.TLSConnectionState()
	if !encrypted {
		return ""
	}
	return versions[state.Version]
}

// Reset forgets the message.
func (s *submission) Reset() { s.from, s.to = "", nil }

// Logout has nothing to do.
func (s *submission) Logout() error { return nil }
