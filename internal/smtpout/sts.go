package smtpout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// policyAge is how long a policy is used before DNS is asked whether there is another one. Source: RFC 8461 3.3 leaves it to us.
	policyAge = time.Hour

	// policyRetry is after how long a domain is looked at again that has no policy, or whose policy cannot be fetched.
	// Source: RFC 8461 3.3, five minutes or longer.
	policyRetry = 5 * time.Minute

	// policyWait is how long a policy may take to come. Source: RFC 8461 3.3, which suggests a minute; mail waits for it.
	policyWait = 10 * time.Second

	// maxPolicy is how large a policy may be. Source: RFC 8461 3.3.
	maxPolicy = 64 << 10

	// maxPolicyAge is the longest max_age. Source: RFC 8461 3.2.
	maxPolicyAge = 31557600 * time.Second
)

// policy is what a domain demands of whoever sends mail to it. The zero value demands nothing.
type policy struct {
	id      string   // of the record in DNS that announced it
	enforce bool     // mail goes to these servers, encrypted and verified, or it does not go
	servers []string // names, or "*." and a name
	until   time.Time
	next    time.Time // when to look again
}

// allows reports whether the server is one of the policy's. Source: RFC 8461 4.1.
func (p policy) allows(server string) bool {
	for _, s := range p.servers {
		if parent, ok := strings.CutPrefix(s, "*."); ok {
			if _, rest, _ := strings.Cut(server, "."); rest == parent {
				return true
			}
		}
		if s == server {
			return true
		}
	}
	return false
}

// policies finds the policies of domains and remembers them, in memory: after a start the first mail to a domain is as open to
// attack as the first ever (RFC 8461 10.2). It is safe for concurrent use.
type policies struct {
	t      *Transport
	client *http.Client
	port   int // of the servers of policies: 443

	mu    sync.Mutex
	known map[string]policy
}

func newPolicies(t *Transport) *policies {
	p := &policies{t: t, port: 443, known: map[string]policy{}}
	config := t.settings.TLS.Clone()
	p.client = &http.Client{
		Timeout:       policyWait,
		Transport:     &http.Transport{DialContext: p.dial, TLSClientConfig: config, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // RFC 8461 3.3: none are followed
	}
	return p
}

// dial connects to the server of a policy, where mail may go too.
func (p *policies) dial(ctx context.Context, _, address string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	found, err := p.t.routes.addresses(ctx, name, p.port)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	last := fmt.Errorf("%s has no public address", name)
	for _, a := range found {
		if !p.t.settings.AllowPrivate && private(a.Addr()) {
			continue
		}
		var conn net.Conn
		if conn, last = d.DialContext(ctx, "tcp", a.String()); last == nil {
			return conn, nil
		}
	}
	return nil, last
}

// find returns the policy of a domain.
func (p *policies) find(ctx context.Context, domain string) policy {
	now := p.t.settings.Now()
	p.mu.Lock()
	old, ok := p.known[domain]
	p.mu.Unlock()
	if ok && now.Before(old.next) {
		return old
	}
	fresh := p.look(ctx, domain, old, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxRoutes {
		clear(p.known)
	}
	p.known[domain] = fresh
	return fresh
}

// look asks DNS, and fetches the policy if it is another one. Whoever can suppress an answer must not switch a policy off: the old one
// holds until its time is over (RFC 8461 3.3 and 10.2).
func (p *policies) look(ctx context.Context, domain string, old policy, now time.Time) policy {
	if !now.Before(old.until) {
		old = policy{}
	}
	old.next = now.Add(policyRetry)
	id, err := p.announced(ctx, domain)
	switch {
	case err != nil || id == "":
		return old
	case id == old.id:
		old.next = now.Add(policyAge)
		return old
	}
	fresh, age, err := p.fetch(ctx, domain)
	if err != nil {
		p.t.settings.Log.Debug("MTA-STS policy cannot be had", "domain", domain, "error", err)
		return old
	}
	fresh.id, fresh.until, fresh.next = id, now.Add(age), now.Add(min(age, policyAge))
	return fresh
}

// announced returns the ID of the policy that DNS announces; "" = none. Source: RFC 8461 3.1.
func (p *policies) announced(ctx context.Context, domain string) (string, error) {
	texts, err := p.t.settings.Resolver.LookupTXT(ctx, "_mta-sts."+domain+".")
	if err != nil {
		return "", err
	}
	id, records := "", 0
	for _, text := range texts {
		version, rest, _ := strings.Cut(text, ";")
		if strings.TrimSpace(version) != "v=STSv1" {
			continue
		}
		records++
		for field := range strings.SplitSeq(rest, ";") {
			if value, ok := strings.CutPrefix(strings.TrimSpace(field), "id="); ok {
				id = value
			}
		}
	}
	if records != 1 {
		return "", nil
	}
	return id, nil
}

// fetch gets the policy of a domain and how long it holds. Source: RFC 8461 3.3.
func (p *policies) fetch(ctx context.Context, domain string) (policy, time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://mta-sts."+domain+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return policy{}, 0, err
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return policy{}, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode != http.StatusOK || kind != "text/plain" {
		return policy{}, 0, fmt.Errorf("status %d, type %q", answer.StatusCode, kind)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxPolicy+1))
	if err != nil {
		return policy{}, 0, err
	}
	if len(text) > maxPolicy {
		return policy{}, 0, errors.New("it is too large")
	}
	return parsePolicy(string(text))
}

// parsePolicy reads a policy. Source: RFC 8461 3.2.
func parsePolicy(text string) (p policy, age time.Duration, err error) {
	var version, mode string
	seconds := int64(-1)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		value = strings.TrimSpace(value)
		switch {
		case key == "version" && version == "":
			version = value
		case key == "mode" && mode == "":
			mode = value
		case key == "max_age" && seconds < 0:
			if seconds, err = strconv.ParseInt(value, 10, 64); err != nil || seconds < 0 {
				return policy{}, 0, fmt.Errorf("max_age %q is no number of seconds", value)
			}
		case key == "mx":
			p.servers = append(p.servers, strings.ToLower(strings.TrimSuffix(value, ".")))
		}
	}
	known := mode == "enforce" || mode == "testing" || mode == "none"
	if version != "STSv1" || !known || seconds < 0 || mode != "none" && len(p.servers) == 0 {
		return policy{}, 0, errors.New("it lacks version, mode, max_age or mx")
	}
	p.enforce = mode == "enforce"
	return p, min(time.Duration(min(seconds, 1<<32))*time.Second, maxPolicyAge), nil
}
