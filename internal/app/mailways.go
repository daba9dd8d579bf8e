package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"tidings/internal/config"
	"tidings/internal/email"
	"tidings/internal/mailsim"
	"tidings/internal/smtpin"
	"tidings/internal/smtpout"
	"tidings/internal/tracking"
)

// openTransport opens the way that mail leaves by. Mail to simulated mailboxes never leaves.
func (a *App) openTransport() (email.Transport, error) {
	cfg := &a.cfg.Email
	options := mailsim.Options{
		Domains: cfg.Simulator.Domains, Keep: cfg.Simulator.Keep, MaxBytes: int64(cfg.Simulator.MaxBytes), Log: a.log.With("room", "mailboxes"),
	}
	if cfg.Simulator.Keep > 0 {
		options.Dir = a.dir.Path("mailboxes")
	}
	a.mail.words = "simulated: no mail leaves this machine; see tidings mail list"
	if !cfg.Simulates() {
		settings, err := smtpSettings(cfg)
		if err != nil {
			return nil, err
		}
		settings.Log, settings.Registerer = a.log.With("room", "smtp"), a.metrics
		if a.mail.smtp, err = smtpout.New(settings); err != nil {
			return nil, fmt.Errorf("email: %w", err)
		}
		options.Next = a.mail.smtp
		a.mail.words = "straight to the servers of the recipients"
		if settings.Relay != "" {
			a.mail.words = "through the relay " + settings.Relay
		}
	}
	a.mail.mailboxes = mailsim.New(options)
	return a.mail.mailboxes, nil
}

func smtpSettings(cfg *config.Email) (smtpout.Settings, error) {
	s := smtpout.Settings{
		Hello: cfg.Hello, Port: cfg.MX.Port, MaxConnections: cfg.MX.Connections, MTASTS: cfg.MX.MTASTS,
		AllowPrivate: cfg.MX.AllowPrivate, AllowedDomains: cfg.AllowedDomains,
	}
	if text := cfg.MX.LocalAddress; text != "" {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return s, fmt.Errorf("email.mx.local_address: %w", err)
		}
		s.LocalAddress = address
	}
	if !cfg.Relays() {
		return s, nil
	}
	r := &cfg.Relay
	s.Relay, s.RelayTLS, s.MaxConnections = r.Server, smtpout.RelayTLS(r.TLS), r.Connections
	s.Username, s.Password = r.Username, string(r.Password)
	host, _, err := net.SplitHostPort(r.Server)
	s.PlainAuth = err == nil && config.IsLoopback(host) // a relay on this machine, such as a tunnel
	if r.CA == "" && r.ServerName == "" {
		return s, nil
	}
	trust, err := trunkTLS(&config.TrunkTLS{CA: r.CA, ServerName: r.ServerName})
	if err != nil {
		return s, fmt.Errorf("email.relay: %w", err)
	}
	s.TLS = trust
	return s, nil
}

// CheckEmail reports what keeps the mail of cfg, which is valid otherwise, from working. It touches no network.
func CheckEmail(cfg *config.Config) error {
	if cfg.Email.Simulates() {
		return nil
	}
	s, err := smtpSettings(&cfg.Email)
	if err != nil {
		return err
	}
	t, err := smtpout.New(s)
	if err != nil {
		return fmt.Errorf("email: %w", err)
	}
	t.Close()
	return nil
}

// openSMTP opens the listeners that take mail in.
func (a *App) openSMTP() error {
	cfg := &a.cfg.Email
	metrics := smtpin.NewMetrics(a.metrics)
	settings := func(listen, certificate, key string) (smtpin.Settings, error) {
		s := smtpin.Settings{Listen: listen, Hello: a.mail.host, Log: a.log.With("room", "smtpin"), Metrics: metrics}
		if certificate == "" {
			return s, nil
		}
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return s, fmt.Errorf("load the TLS certificate: %w", err)
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		return s, nil
	}
	add := func(name string, l *smtpin.Listener, err error) error {
		if err != nil {
			return fmt.Errorf("email.%s: %w", name, err)
		}
		a.mail.smtpIn, a.mail.smtpInNames = append(a.mail.smtpIn, l), append(a.mail.smtpInNames, name)
		return nil
	}
	if b := &cfg.Bounces; b.Listen != "" {
		s, err := settings(b.Listen, b.Certificate, b.Key)
		if err != nil {
			return fmt.Errorf("email.bounces: %w", err)
		}
		l, err := smtpin.OpenReturning(smtpin.Returning{Settings: s, Paths: a.mail.paths, Addresses: b.Addresses, Intake: a.mail.intake})
		if err := add("bounces", l, err); err != nil {
			return err
		}
	}
	if b := &cfg.Submission; b.Listen != "" {
		s, err := settings(b.Listen, b.Certificate, b.Key)
		if err != nil {
			return fmt.Errorf("email.submission: %w", err)
		}
		l, err := smtpin.OpenSubmission(smtpin.Submission{
			Settings: s, Implicit: b.Implicit, Insecure: b.Insecure, Accounts: a.accounts, Regions: b.Regions, Sender: a.mail.service,
		})
		if err := add("submission", l, err); err != nil {
			return err
		}
	}
	return nil
}

// openTracking opens what reports opens and clicks. It comes last, because without a URL of its own, and with simulated mail, its
// links lead to the API listener.
func (a *App) openTracking(secret []byte) error {
	cfg := &a.cfg.Email.Tracking
	base := cfg.URL
	if base == "" && a.cfg.Email.Simulates() {
		base = a.APIURL()
	}
	if base == "" {
		return nil
	}
	links, err := tracking.New(tracking.Settings{URL: base, Secret: secret})
	if err != nil {
		return fmt.Errorf("email.tracking.url: %w", err)
	}
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("email.tracking.url: %w", err)
	}
	a.mail.runner.Tracker, a.mail.visitsPath = links, strings.TrimSuffix(u.Path, "/")
	a.mail.visits = tracking.NewHandler(tracking.Options{
		Links: links, Intake: a.mail.intake, TrustProxy: cfg.TrustProxy, Log: a.log.With("room", "tracking"), Metrics: tracking.NewMetrics(a.metrics),
	})
	if cfg.Listen == "" {
		return nil
	}
	a.mail.visitsOn, err = listen(cfg.Listen, config.TLS{Certificate: cfg.Certificate, Key: cfg.Key}, a.mail.visits, a.log)
	return err
}

// serves reports whether the request is for a pixel or a link.
func (m *mail) serves(r *http.Request) bool {
	if m.visits == nil || m.visitsOn != nil {
		return false
	}
	path, ok := strings.CutPrefix(r.URL.Path, m.visitsPath)
	return ok && (strings.HasPrefix(path, "/L0/") || strings.HasPrefix(path, "/I0/"))
}

// SMTPAddress is where the listener of this name ("submission", "bounces") takes mail; "" = it is not open.
func (a *App) SMTPAddress(name string) string {
	for i, l := range a.mail.smtpIn {
		if a.mail.smtpInNames[i] == name {
			return l.Addr().String()
		}
	}
	return ""
}

// TrackingURL is where pixels and links are served; "" = on the API listener, or nowhere.
func (a *App) TrackingURL() string {
	if a.mail.visitsOn == nil {
		return ""
	}
	return a.mail.visitsOn.url()
}
