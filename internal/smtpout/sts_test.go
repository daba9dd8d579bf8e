package smtpout

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// policyServer serves a policy for mta-sts.one.example.
type policyServer struct {
	mu      sync.Mutex
	handler http.HandlerFunc
	asked   int
}

func (p *policyServer) serve(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = h
}

// times returns how often it was asked.
func (p *policyServer) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *policyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked++
	h := p.handler
	p.mu.Unlock()
	if r.URL.Path != "/.well-known/mta-sts.txt" || r.Host != "mta-sts.one.example" {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

func text(policy string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, policy)
	}
}

// sts is a domain with a policy and one server, mx.one.example, that has this certificate; nil = no TLS.
func sts(tb testing.TB, z *zone, certificate *tls.Certificate, change func(*Settings)) (*Transport, *policyServer) {
	tb.Helper()
	web, roots := certify(tb, "mta-sts.one.example")
	p := &policyServer{handler: text("version: STSv1\r\nmode: enforce\r\nmx: mx.one.example\r\nmax_age: 86400\r\n")}
	server := httptest.NewUnstartedServer(p)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{web}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	tb.Cleanup(server.Close)
	z.mx = map[string][]string{"one.example": {"10 mx.one.example"}}
	z.hosts = map[string][]string{"mx.one.example": {"127.0.0.1"}, "mta-sts.one.example": {"127.0.0.1"}}
	_, s := servers(tb, z, func(_ int, peer *peer) {
		if certificate != nil {
			peer.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}}
			roots.AddCert(certificate.Leaf)
		}
	}, "127.0.0.1")
	s.TLS, s.MTASTS = &tls.Config{RootCAs: roots}, true
	if change != nil {
		change(&s)
	}
	tr := transport(tb, s)
	tr.policies.port = server.Listener.Addr().(*net.TCPAddr).Port
	return tr, p
}

func TestPoliciesOfDomains(t *testing.T) {
	t.Parallel()
	good, _ := certify(t, "mx.one.example")
	other, _ := certify(t, "other.example")
	const announced = "v=STSv1; id=20261001;"
	for name, c := range map[string]struct {
		record      []string
		policy      http.HandlerFunc // nil = as it should be
		certificate *tls.Certificate
		want        string // enhanced status
	}{
		"kept":               {[]string{"something else", announced}, nil, &good, "2.0.0"},
		"wrong certificate":  {[]string{announced}, nil, &other, "4.7.5"},
		"no TLS":             {[]string{announced}, nil, nil, "4.7.4"},
		"another server":     {[]string{announced}, text("version: STSv1\nmode: enforce\nmx: *.two.example\nmax_age: 1\n"), &good, "4.7.0"},
		"a pattern":          {[]string{announced}, text("version: STSv1\nmode: enforce\nmx: x\nmx: *.ONE.example\nmax_age: 1\n"), &good, "2.0.0"},
		"testing":            {[]string{announced}, text("version: STSv1\nmode: testing\nmx: x\nmax_age: 1\n"), nil, "2.0.0"},
		"mode none":          {[]string{announced}, text("version: STSv1\nmode: none\nmax_age: 1\n"), nil, "2.0.0"},
		"not announced":      {nil, nil, nil, "2.0.0"},
		"announced twice":    {[]string{announced, announced}, nil, nil, "2.0.0"},
		"not found":          {[]string{announced}, http.NotFound, nil, "2.0.0"},
		"redirected":         {[]string{announced}, http.RedirectHandler("https://mta-sts.one.example/.well-known/mta-sts.txt", http.StatusFound).ServeHTTP, nil, "2.0.0"},
		"not a policy":       {[]string{announced}, text("mode: enforce\n"), nil, "2.0.0"},
		"of another type":    {[]string{announced}, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") }, nil, "2.0.0"},
		"larger than it may": {[]string{announced}, text("version: STSv1\nmode: enforce\nmx: x\nmax_age: 1\n" + strings.Repeat("x", maxPolicy)), nil, "2.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := &zone{txt: map[string][]string{"_mta-sts.one.example": c.record}}
			tr, server := sts(t, z, c.certificate, nil)
			if c.policy != nil {
				server.serve(c.policy)
			}
			for range 2 { // the second time it is remembered
				if r := deliver(t, tr, parcel("x@one.example"))[0]; r.Enhanced != c.want {
					t.Errorf("reply = %+v, want %s", r, c.want)
				}
			}
			if server.times() > 1 {
				t.Errorf("the policy was fetched %d times, want at most once", server.times())
			}
		})
	}
}

// TestAPolicyOutlivesItsRecord until its time is over: who can suppress DNS must not switch it off.
func TestAPolicyOutlivesItsRecord(t *testing.T) {
	t.Parallel()
	clock := newClock()
	z := &zone{txt: map[string][]string{"_mta-sts.one.example": {"v=STSv1; id=1"}}}
	tr, server := sts(t, z, nil, func(s *Settings) { s.Now = clock.now })
	step := func(what, want string, fetched int) {
		t.Helper()
		if r := deliver(t, tr, parcel("x@one.example"))[0]; r.Enhanced != want {
			t.Errorf("%s: %+v, want %s", what, r, want)
		}
		if server.times() != fetched {
			t.Errorf("%s: the policy was fetched %d times, want %d", what, server.times(), fetched)
		}
	}
	step("announced", "4.7.4", 1)
	clock.pass(policyAge)
	step("the same is announced", "4.7.4", 1)
	clock.pass(policyAge)
	z.mu.Lock()
	delete(z.txt, "_mta-sts.one.example")
	z.mu.Unlock()
	step("no longer announced", "4.7.4", 1)
	clock.pass(policyRetry)
	z.mu.Lock()
	z.txt["_mta-sts.one.example"] = []string{"v=STSv1; id=2"}
	z.mu.Unlock()
	server.serve(http.NotFound)
	step("another is announced and cannot be had", "4.7.4", 2)
	clock.pass(24 * time.Hour)
	step("the old one is over", "2.0.0", 3)
	server.serve(text("version: STSv1\nmode: none\nmax_age: 86400\n"))
	clock.pass(policyRetry)
	step("it is switched off", "2.0.0", 4)
}

func TestPoliciesAreFetchedInPublic(t *testing.T) {
	t.Parallel()
	z := &zone{hosts: map[string][]string{"mta-sts.one.example": {"127.0.0.1"}}}
	tr := transport(t, Settings{Resolver: z.resolver(t), MTASTS: true})
	if c, err := tr.policies.dial(t.Context(), "tcp", "mta-sts.one.example:443"); err == nil || !strings.Contains(err.Error(), "no public address") {
		t.Errorf("dial of a policy on loopback = %v, %v; want that it has no public address", c, err)
	}
}

func TestPolicyForms(t *testing.T) {
	t.Parallel()
	const rest = "mode: enforce\nmx: a\n"
	for form, want := range map[string]time.Duration{
		"version: STSv1\n" + rest + "max_age: 10\n":                      10 * time.Second,
		"version: STSv1\n" + rest + "max_age: 99999999999\nother: x\n":   maxPolicyAge,
		"version: STSv1\r\n" + rest + "max_age: 10\r\nmax_age: 20\r\n\n": 10 * time.Second,
		"version: STSv2\n" + rest + "max_age: 10\n":                      -1,
		"version: STSv1\n" + rest + "max_age: -1\n":                      -1,
		"version: STSv1\n" + rest + "max_age: x\n":                       -1,
		"version: STSv1\n" + rest:                                        -1,
		"version: STSv1\nmode: enforce\nmax_age: 10\n":                   -1,
		"version: STSv1\nmode: strict\nmx: a\nmax_age: 10\n":             -1,
		"": -1,
	} {
		_, age, err := parsePolicy(form)
		if err != nil {
			age = -1
		}
		if age != want {
			t.Errorf("parsePolicy(%q) = %v, %v; want %v", form, age, err, want)
		}
	}
	p := policy{servers: []string{"*.one.example", "two.example"}}
	for server, want := range map[string]bool{
		"a.one.example": true, "one.example": false, "a.b.one.example": false, "two.example": true, "a.two.example": false, "xone.example": false,
	} {
		if got := p.allows(server); got != want {
			t.Errorf("allows(%q) = %v, want %v", server, got, want)
		}
	}
}
