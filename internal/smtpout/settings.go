// Package smtpout hands mail over by SMTP (RFC 5321): to a relay, or straight to the mail servers of its recipients. It implements
// email.Transport.
//
// The client is here and not in a library, for three reasons: commands go out together (RFC 2920), so that a mail costs two
// round trips; replies are kept as they came, because bounces quote them; and what the far end can make us read is bounded.
//
// It makes one attempt and says what came of it. Whoever calls decides when to try again.
package smtpout

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RelayTLS says how the way to the relay is encrypted.
type RelayTLS string

// The ways. The empty one is RelaySTARTTLS.
const (
	RelaySTARTTLS      RelayTLS = "starttls"      // demanded, and the certificate must be good
	RelayImplicit      RelayTLS = "tls"           // from the first byte (RFC 8314 3.3), and the certificate must be good
	RelayOpportunistic RelayTLS = "opportunistic" // where the relay offers it, with whatever certificate
	RelayPlain         RelayTLS = "none"
)

// Settings are what a Transport works with. The zero value sends straight to the servers of the recipients.
type Settings struct {
	Relay    string // host:port that takes all mail; "" = the servers of the recipients, by MX
	RelayTLS RelayTLS
	Username string // for the relay; "" = none
	Password string
	// PlainAuth lets the password go to a relay on loopback without TLS. It never goes anywhere else without.
	PlainAuth bool

	Hello        string        // our name in EHLO; "" = the system's host name
	LocalAddress netip.Addr    // that connections leave from; zero = the system's choice
	Resolver     *net.Resolver // nil = the system's
	Port         int           // of the servers of recipients; 0 = 25
	// TLS is where certificates are verified: its RootCAs, Certificates and MinVersion count; nil = the system's roots, TLS 1.2.
	TLS *tls.Config

	MaxConnections int           // to one host, idle ones included; 0 = 10, to a relay 50
	MaxMessages    int           // through one connection; 0 = 100
	Idle           time.Duration // how long a connection is kept for the next mail; 0 = 30 s
	// Turn is how long a mail waits for a connection to a host that has all it may have; 0 = 10 s to servers of recipients, so that a
	// slow one does not hold up the mail to others; to a relay as Stall says.
	Turn time.Duration
	// Stall is how long mails wait for their turn with a relay that gets on with none of those that it has: one that hangs must not
	// keep all who hand over mail waiting, as not all mail is for the relay. 0 = 10 s.
	Stall time.Duration
	// Rest is how long a host that could not be reached is left alone; 0 = 30 s, a relay 5 s.
	Rest     time.Duration
	Timeouts Timeouts

	// AllowPrivate lets mail go to servers of recipients at private and loopback addresses. Without it, whoever controls a
	// domain cannot make us talk to the inside of the network.
	AllowPrivate   bool
	AllowedDomains []string // the only ones that may be mailed, without their subdomains; none = all
	MTASTS         bool     // honour the policies of RFC 8461

	Now        func() time.Time      // nil = time.Now
	Log        *slog.Logger          // nil = nothing is logged
	Registerer prometheus.Registerer // nil = nothing is counted
}

// Timeouts bound each wait for the far end. They count within what the context allows. Zero means the default, which is the least
// that RFC 5321 4.5.3.2 asks for.
type Timeouts struct {
	Connect  time.Duration // 30 s; not in the RFC
	Greeting time.Duration // 5 min, 4.5.3.2.1
	Command  time.Duration // 5 min for EHLO, STARTTLS, AUTH, MAIL, RCPT; 4.5.3.2.2 and .3
	Data     time.Duration // 2 min until 354, 4.5.3.2.4
	Block    time.Duration // 3 min for each write of content, 4.5.3.2.5
	Done     time.Duration // 10 min for the reply to the final dot, 4.5.3.2.6
}

// withDefaults fills in what the settings leave out, and fails with all that is wrong with them.
func (s Settings) withDefaults() (Settings, error) {
	if s.Hello == "" {
		s.Hello, _ = os.Hostname() // without a name we are "localhost"
	}
	s.Hello = cmp.Or(s.Hello, "localhost")
	s.RelayTLS = cmp.Or(s.RelayTLS, RelaySTARTTLS)
	s.Port = cmp.Or(s.Port, 25)
	s.MaxMessages = cmp.Or(s.MaxMessages, 100)
	s.Idle = cmp.Or(s.Idle, 30*time.Second)
	if s.Relay != "" {
		s.MaxConnections, s.Rest = cmp.Or(s.MaxConnections, 50), cmp.Or(s.Rest, 5*time.Second)
		s.Stall = cmp.Or(s.Stall, 10*time.Second)
	} else {
		s.MaxConnections, s.Rest = cmp.Or(s.MaxConnections, 10), cmp.Or(s.Rest, 30*time.Second)
		s.Turn = cmp.Or(s.Turn, 10*time.Second)
	}
	t := &s.Timeouts
	t.Connect, t.Greeting = cmp.Or(t.Connect, 30*time.Second), cmp.Or(t.Greeting, 5*time.Minute)
	t.Command, t.Data = cmp.Or(t.Command, 5*time.Minute), cmp.Or(t.Data, 2*time.Minute)
	t.Block, t.Done = cmp.Or(t.Block, 3*time.Minute), cmp.Or(t.Done, 10*time.Minute)
	if s.Resolver == nil {
		s.Resolver = net.DefaultResolver
	}
	if s.TLS == nil {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.AllowedDomains = slices.Clone(s.AllowedDomains)
	var problems []error
	for i, d := range s.AllowedDomains {
		name, ok := asciiDomain(d)
		if !ok {
			problems = append(problems, fmt.Errorf("the allowed domain %q is not a domain", d))
		}
		s.AllowedDomains[i] = name
	}
	return s, errors.Join(append(problems, s.problems()...)...)
}

// problems lists what is wrong with settings whose defaults are filled in.
func (s Settings) problems() []error {
	var found []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			found = append(found, fmt.Errorf(format, args...))
		}
	}
	if s.Relay != "" {
		host, port, err := net.SplitHostPort(s.Relay)
		wrong(err != nil || host == "" || port == "", "the relay %q is not host:port", s.Relay)
	}
	wrong(!slices.Contains([]RelayTLS{RelaySTARTTLS, RelayImplicit, RelayOpportunistic, RelayPlain}, s.RelayTLS),
		"the TLS of the relay, %q, is none of starttls, tls, opportunistic, none", s.RelayTLS)
	wrong(s.Username != "" && s.Relay == "", "there is a username, but no relay")
	wrong(s.Password != "" && s.Username == "", "there is a password, but no username")
	wrong(s.Username != "" && s.RelayTLS == RelayPlain && !s.PlainAuth, "the password must not go to the relay without TLS")
	wrong(strings.ContainsFunc(s.Hello, func(r rune) bool { return r <= ' ' || r >= 0x7f }), "%q cannot be a name in EHLO", s.Hello)
	wrong(s.Port < 0 || s.Port > 65535, "%d is not a port", s.Port)
	wrong(s.MaxConnections < 0, "there cannot be %d connections", s.MaxConnections)
	wrong(s.MaxMessages < 0, "there cannot be %d messages to a connection", s.MaxMessages)
	for name, d := range map[string]time.Duration{"idle": s.Idle, "turn": s.Turn, "stall": s.Stall, "rest": s.Rest} {
		wrong(d < 0, "the time %q is negative", name)
	}
	return found
}
