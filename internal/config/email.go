package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Email is mail: how it leaves, what comes back, and what is kept of it.
type Email struct {
	Transport      string         `yaml:"transport"` // auto, simulator, relay, mx
	Senders        string         `yaml:"senders"`   // any, verified
	VerifyAtOnce   bool           `yaml:"verify_at_once"`
	Identities     []string       `yaml:"identities"`
	Hello          string         `yaml:"hello"`
	Concurrency    int            `yaml:"concurrency"`
	GiveUp         time.Duration  `yaml:"give_up"`
	Drain          time.Duration  `yaml:"drain"`
	AllowedDomains []string       `yaml:"allowed_domains"`
	MaxBytes       Size           `yaml:"max_bytes"`
	CacheBytes     Size           `yaml:"cache_bytes"`
	KeepHeads      time.Duration  `yaml:"keep_heads"`
	KeepHeadsBytes Size           `yaml:"keep_heads_bytes"`
	Relay          MailRelay      `yaml:"relay"`
	MX             MailMX         `yaml:"mx"`
	DKIM           []DKIMKey      `yaml:"dkim"`
	Bounces        MailBounces    `yaml:"bounces"`
	Submission     MailSubmission `yaml:"submission"`
	Tracking       MailTracking   `yaml:"tracking"`
	Virus          MailVirus      `yaml:"virus"`
	Simulator      MailSimulator  `yaml:"simulator"`
}

// MailRelay is the server that takes all mail.
type MailRelay struct {
	Server      string `yaml:"server"` // host:port; "" = none
	TLS         string `yaml:"tls"`    // starttls, tls, opportunistic, none
	CA          string `yaml:"ca"`
	ServerName  string `yaml:"server_name"`
	Username    string `yaml:"username"`
	Password    Secret `yaml:"password"`
	Connections int    `yaml:"connections"`
}

// MailMX is how mail goes straight to the servers of its recipients.
type MailMX struct {
	LocalAddress string `yaml:"local_address"`
	Port         int    `yaml:"port"`
	Connections  int    `yaml:"connections"`
	MTASTS       bool   `yaml:"mta_sts"`
	AllowPrivate bool   `yaml:"allow_private"`
}

// DKIMKey signs the mail of a domain.
type DKIMKey struct {
	Domain   string `yaml:"domain"`
	Selector string `yaml:"selector"`
	Key      Secret `yaml:"key"` // PEM
}

// MailBounces is where bounce messages and complaints come back to.
type MailBounces struct {
	Domain      string   `yaml:"domain"` // of return paths; "" = the sender's own address is the return path
	Listen      string   `yaml:"listen"` // "" = not heard here
	Addresses   []string `yaml:"addresses"`
	Certificate string   `yaml:"certificate"`
	Key         string   `yaml:"key"`
}

// MailSubmission takes mail over SMTP from applications.
type MailSubmission struct {
	Listen      string   `yaml:"listen"` // "" = not offered
	Implicit    bool     `yaml:"implicit_tls"`
	Certificate string   `yaml:"certificate"`
	Key         string   `yaml:"key"`
	Insecure    bool     `yaml:"insecure"`
	Regions     []string `yaml:"regions"`
}

// MailTracking reports opens and clicks.
type MailTracking struct {
	URL         string `yaml:"url"`    // "" = nothing is tracked
	Listen      string `yaml:"listen"` // "" = the API listener serves the links
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	TrustProxy  bool   `yaml:"trust_proxy"`
}

// MailVirus looks for what must not be sent.
type MailVirus struct {
	Clamd   string        `yaml:"clamd"` // tcp:host:port or unix:/path; "" = only the EICAR test file is found
	Timeout time.Duration `yaml:"timeout"`
}

// MailSimulator are mailboxes that exist only here.
type MailSimulator struct {
	Domains  []string      `yaml:"domains"`
	Keep     time.Duration `yaml:"keep"`
	MaxBytes Size          `yaml:"max_bytes"`
}

// Relays reports whether mail goes to a relay.
func (e *Email) Relays() bool {
	return e.Transport == "relay" || e.Transport == "auto" && e.Relay.Server != ""
}

// Simulates reports whether mail goes nowhere.
func (e *Email) Simulates() bool { return !e.Relays() && e.Transport != "mx" }

var (
	mailDomainForm  = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)
	mailAddressForm = regexp.MustCompile(`^[^@\s]{1,64}@[^@\s]{1,255}$`)
	selectorForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)
)

func (c *Config) checkEmail(p *Problems, getenv func(string) string) {
	e := &c.Email
	oneOf(p, "email.transport", e.Transport, "auto", "simulator", "relay", "mx")
	oneOf(p, "email.senders", e.Senders, "any", "verified")
	for i, identity := range e.Identities {
		if !mailAddressForm.MatchString(identity) && !mailDomainForm.MatchString(identity) {
			p.add(fmt.Sprintf("email.identities[%d]", i), identity, "write an address or a domain, such as news@example.com or example.com")
		}
	}
	if e.Hello != "" {
		checkMailDomain(p, "email.hello", e.Hello)
	}
	between(p, "email.concurrency", e.Concurrency, 1, 10_000)
	between(p, "email.give_up", e.GiveUp, time.Minute, 7*24*time.Hour)
	between(p, "email.drain", e.Drain, 0, time.Hour)
	between(p, "email.max_bytes", e.MaxBytes, 16<<20, 1<<50)
	between(p, "email.cache_bytes", e.CacheBytes, 1<<20, 1<<50)
	between(p, "email.keep_heads", e.KeepHeads, time.Hour, 10*365*24*time.Hour)
	between(p, "email.keep_heads_bytes", e.KeepHeadsBytes, 1<<20, 1<<50)
	for i, domain := range e.AllowedDomains {
		checkMailDomain(p, fmt.Sprintf("email.allowed_domains[%d]", i), domain)
	}
	e.checkWays(p, getenv)
	e.checkListeners(p)
	for i, domain := range e.Simulator.Domains {
		checkMailDomain(p, fmt.Sprintf("email.simulator.domains[%d]", i), domain)
	}
	between(p, "email.simulator.keep", e.Simulator.Keep, 0, 10*365*24*time.Hour)
	between(p, "email.simulator.max_bytes", e.Simulator.MaxBytes, 1<<20, 1<<50)
	between(p, "email.virus.timeout", e.Virus.Timeout, 100*time.Millisecond, 10*time.Minute)
	if scheme, _, _ := strings.Cut(e.Virus.Clamd, ":"); e.Virus.Clamd != "" && scheme != "tcp" && scheme != "unix" {
		p.add("email.virus.clamd", e.Virus.Clamd, "write tcp:HOST:PORT or unix:PATH")
	}
}

// checkWays checks how mail leaves.
func (e *Email) checkWays(p *Problems, getenv func(string) string) {
	r := &e.Relay
	resolve(p, "email.relay.password", &r.Password, getenv)
	oneOf(p, "email.relay.tls", r.TLS, "starttls", "tls", "opportunistic", "none")
	between(p, "email.relay.connections", r.Connections, 1, 1_000)
	if r.Server != "" {
		if _, _, err := net.SplitHostPort(r.Server); err != nil {
			p.add("email.relay.server", r.Server, "write it as host:port: %v", err)
		}
	} else if e.Transport == "relay" {
		p.add("email.transport", e.Transport, "name the relay in email.relay.server")
	}
	if (r.Username == "") != (r.Password == "") {
		p.add("email.relay", r.Username, "give both username and password, or neither")
	}
	checkClientFiles(p, "email.relay", r.CA, "", "")
	between(p, "email.mx.port", e.MX.Port, 1, 65535)
	between(p, "email.mx.connections", e.MX.Connections, 1, 1_000)
	if a := e.MX.LocalAddress; a != "" && net.ParseIP(a) == nil {
		p.add("email.mx.local_address", a, "write an IP address of this machine")
	}
	for i := range e.DKIM {
		k, at := &e.DKIM[i], fmt.Sprintf("email.dkim[%d]", i)
		checkMailDomain(p, at+".domain", k.Domain)
		if !selectorForm.MatchString(k.Selector) {
			p.add(at+".selector", k.Selector, "a selector is a label of a domain name, such as mail2026")
		}
		resolve(p, at+".key", &k.Key, getenv)
		if k.Key == "" {
			p.add(at+".key", "", "name the file of the private key: file:PATH")
		}
	}
}

// checkListeners checks what is served to others.
func (e *Email) checkListeners(p *Problems) {
	b, s, t := &e.Bounces, &e.Submission, &e.Tracking
	if b.Domain != "" {
		checkMailDomain(p, "email.bounces.domain", b.Domain)
	}
	if b.Listen != "" {
		checkAddress(p, "email.bounces.listen", b.Listen)
		if b.Domain == "" {
			p.add("email.bounces.domain", "", "name the domain of return paths, whose MX leads to email.bounces.listen")
		}
	}
	for i, name := range b.Addresses {
		if name == "" || strings.ContainsAny(name, "@ <>") {
			p.add(fmt.Sprintf("email.bounces.addresses[%d]", i), name, "write what stands before the @, such as fbl")
		}
	}
	checkPair(p, "email.bounces", b.Certificate, b.Key)
	checkPair(p, "email.submission", s.Certificate, s.Key)
	checkPair(p, "email.tracking", t.Certificate, t.Key)
	if s.Listen != "" {
		loopback, ok := checkAddress(p, "email.submission.listen", s.Listen)
		if ok && s.Certificate == "" && (!loopback || !s.Insecure) {
			p.add("email.submission.certificate", "", "passwords must not travel in the clear: name a certificate and its key, or set insecure on a loopback address")
		}
	}
	if t.Listen != "" {
		checkAddress(p, "email.tracking.listen", t.Listen)
	}
	if t.URL != "" {
		u, err := url.Parse(t.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			p.add("email.tracking.url", t.URL, "write http://HOST or https://HOST, as recipients reach it")
		}
	}
}

// checkPair checks the files of a listener's certificate: both, or none.
func checkPair(p *Problems, at, certificate, key string) {
	if (certificate == "") != (key == "") {
		p.add(at, certificate+key, "name both the certificate and the key, or neither")
	}
	for _, file := range slices.DeleteFunc([]string{certificate, key}, func(s string) bool { return s == "" }) {
		if _, err := os.Stat(file); err != nil {
			p.add(at, file, "%v", err)
		}
	}
}

func checkMailDomain(p *Problems, key, domain string) {
	if len(domain) > 253 || !mailDomainForm.MatchString(domain) {
		p.add(key, domain, "write a domain name in lower case, such as mail.example.com")
	}
}
