package smtpout

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"tidings/internal/email"
)

// servers starts peers on addresses of loopback and returns them with settings to reach them by DNS.
func servers(tb testing.TB, z *zone, edit func(i int, p *peer), addresses ...string) ([]*peer, Settings) {
	tb.Helper()
	port, all := listenOn(tb, addresses...)
	var peers []*peer
	for i, l := range all {
		peers = append(peers, newPeerOn(tb, l, func(p *peer) {
			if edit != nil {
				edit(i, p)
			}
		}))
	}
	return peers, Settings{Resolver: z.resolver(tb), Port: port, AllowPrivate: true}
}

func TestEachDomainHasItsServers(t *testing.T) {
	t.Parallel()
	z := &zone{
		mx: map[string][]string{
			"one.example": {"20 spare.example", "10 mx.one.example"}, "two.example": {"5 mx.two.example"},
			"xn--bcher-kva.example": {"10 mx.two.example"},
		},
		hosts: map[string][]string{
			"mx.one.example": {"127.0.0.1"}, "mx.two.example": {"127.0.0.2"}, "spare.example": {"127.0.0.3"}, "direct.example": {"127.0.0.3"},
		},
	}
	peers, s := servers(t, z, nil, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	replies := deliver(t, transport(t, s), parcel("a@one.example", "b@Two.Example", "c@ONE.example.", "d@direct.example", "e@bücher.example"))
	for _, r := range replies {
		if r.Verdict != email.Delivered {
			t.Errorf("reply = %+v, want delivered", r)
		}
	}
	var hosts []string
	for _, r := range replies {
		hosts = append(hosts, fmt.Sprintf("%s %s %v", r.Host, r.RemoteIP, r.Recipients))
	}
	wantHosts := []string{"mx.one.example 127.0.0.1 [0 2]", "mx.two.example 127.0.0.2 [1 4]", "direct.example 127.0.0.3 [3]"}
	if diff := cmp.Diff(wantHosts, hosts); diff != "" {
		t.Errorf("who replied (-want +got):\n%s", diff)
	}
	for i, want := range [][]string{{"a@one.example c@one.example"}, {"b@two.example", "e@xn--bcher-kva.example"}, {"d@direct.example"}} {
		var got []string
		for _, d := range peers[i].deliveries() {
			got = append(got, strings.Join(d.To, " "))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("server %d got mail for %q, want %q", i, got, want)
		}
	}
}

func TestDomainsThatTakeNoMail(t *testing.T) {
	t.Parallel()
	z := &zone{
		mx: map[string][]string{
			"null.example": {"0 ."}, "lost.example": {"10 nowhere.example"}, "sick.example": {"10 broken.example"},
			"inside.example": {"10 mx.inside.example"}, "mixed.example": {"10 nowhere.example", "20 broken.example"},
		},
		hosts:  map[string][]string{"mx.inside.example": {"127.0.0.1", "10.1.2.3", "::1", "100.64.0.1", "fd00::1", "169.254.1.1"}, "home.example": {"192.168.1.1"}},
		broken: map[string]bool{"broken.example": true},
	}
	tr := transport(t, Settings{Resolver: z.resolver(t), Port: 1})
	for domain, want := range map[string]email.Reply{
		"null.example":   {Verdict: email.Refused, Enhanced: "5.1.10", Text: "the domain null.example takes no mail (null MX)"},
		"none.example":   {Verdict: email.Refused, Enhanced: "5.1.2", Text: "the domain none.example does not exist, or has neither MX nor address"},
		"lost.example":   {Verdict: email.Refused, Enhanced: "5.4.4", Text: "none of the mail servers of lost.example has an address"},
		"broken.example": {Verdict: email.Deferred, Enhanced: "4.4.3", Text: "DNS for broken.example: server misbehaving"},
		"sick.example":   {Verdict: email.Deferred, Enhanced: "4.4.3", Text: "DNS for broken.example: server misbehaving"},
		"mixed.example":  {Verdict: email.Deferred, Enhanced: "4.4.3", Text: "DNS for broken.example: server misbehaving"},
		"home.example":   {Verdict: email.Refused, Enhanced: "5.4.4", Text: "the mail server home.example of home.example is at 192.168.1.1, which is no public address"},
	} {
		t.Run(domain, func(t *testing.T) {
			t.Parallel()
			replies := deliver(t, tr, parcel("a@"+domain))
			if len(replies) != 1 {
				t.Fatalf("replies = %+v, want one", replies)
			}
			want.Recipients = []int{0}
			if diff := cmp.Diff(want, replies[0]); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
	replies := deliver(t, tr, parcel("a@inside.example"))
	if r := replies[0]; r.Verdict != email.Refused || r.Enhanced != "5.4.4" || !strings.HasSuffix(r.Text, "which is no public address") {
		t.Errorf("mail to the inside of the network: %+v, want refused", r)
	}
}

func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1": true, "10.0.0.1": true, "172.16.0.1": true, "192.168.0.1": true, "169.254.169.254": true, "100.64.0.1": true,
		"0.0.0.0": true, "224.0.0.1": true, "255.255.255.255": true, "::1": true, "fe80::1": true, "fd00::1": true, "ff02::1": true,
		"::ffff:127.0.0.1": true, "::": true, "8.8.8.8": false, "100.128.0.1": false, "2001:4860:4860::8888": false, "172.32.0.1": false,
	} {
		if got := private(netip.MustParseAddr(address)); got != want {
			t.Errorf("private(%s) = %v, want %v", address, got, want)
		}
	}
}

// TestTheNextServer is tried when the first cannot be used.
func TestTheNextServer(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(tb testing.TB, l net.Listener){
		"nobody listens": func(_ testing.TB, l net.Listener) { _ = l.Close() },
		"full": func(tb testing.TB, l net.Listener) {
			newPeerOn(tb, l, func(p *peer) {
				p.mail = func(string) error { return smtpError(421, smtp.EnhancedCode{4, 3, 2}, "full") }
			})
		},
		"no greeting": func(tb testing.TB, l net.Listener) { playOn(tb, l, script{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := &zone{
				mx:    map[string][]string{"one.example": {"10 a.example", "20 b.example"}},
				hosts: map[string][]string{"a.example": {"127.0.0.1"}, "b.example": {"127.0.0.2"}},
			}
			port, all := listenOn(t, "127.0.0.1", "127.0.0.2")
			first(t, all[0])
			second := newPeerOn(t, all[1], nil)
			tr := transport(t, Settings{Resolver: z.resolver(t), Port: port, AllowPrivate: true})
			for range 2 { // the second time it is known
				replies := deliver(t, tr, parcel("x@one.example"))
				if r := replies[0]; r.Verdict != email.Delivered || r.Host != "b.example" {
					t.Errorf("reply = %+v, want delivered by b.example", r)
				}
			}
			if n := len(second.deliveries()); n != 2 {
				t.Errorf("the second server has %d mails, want 2", n)
			}
		})
	}
}

func TestTheNextAddress(t *testing.T) {
	t.Parallel()
	z := &zone{hosts: map[string][]string{"one.example": {"127.0.0.1", "127.0.0.2"}}}
	port, all := listenOn(t, "127.0.0.1", "127.0.0.2")
	_ = all[0].Close()
	newPeerOn(t, all[1], nil)
	tr := transport(t, Settings{Resolver: z.resolver(t), Port: port, AllowPrivate: true})
	if r := deliver(t, tr, parcel("x@one.example"))[0]; r.Verdict != email.Delivered || r.RemoteIP != "127.0.0.2" {
		t.Errorf("reply = %+v, want delivered at the second address", r)
	}
}

// TestServersOfOnePreference share the load.
func TestServersOfOnePreference(t *testing.T) {
	t.Parallel()
	z := &zone{mx: map[string][]string{}, hosts: map[string][]string{"a.example": {"127.0.0.1"}, "b.example": {"127.0.0.2"}}}
	var to []string
	for i := range 64 { // each way is found once: with one server alone that is 2^-63
		domain := fmt.Sprintf("d%d.example", i)
		z.mx[domain] = []string{"10 a.example", "10 b.example"}
		to = append(to, "x@"+domain)
	}
	peers, s := servers(t, z, nil, "127.0.0.1", "127.0.0.2")
	deliver(t, transport(t, s), parcel(to...))
	if a, b := len(peers[0].deliveries()), len(peers[1].deliveries()); a == 0 || b == 0 || a+b != len(to) {
		t.Errorf("the servers got %d and %d mails, want both some, and %d in all", a, b, len(to))
	}
}

// TestARefusalByAllServers counts only if none of them may take the mail later. Source: RFC 7504.
func TestARefusalByAllServers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second string
		want          email.Verdict
	}{
		"both":   {"554 5.3.2 no mail here\r\n", "521 5.3.2 no mail here\r\n", email.Refused},
		"first":  {"554 5.3.2 no mail here\r\n", "421 4.3.2 later\r\n", email.Deferred},
		"second": {"421 4.3.2 later\r\n", "554 5.3.2 no mail here\r\n", email.Deferred},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := &zone{
				mx:    map[string][]string{"one.example": {"10 a.example", "20 b.example"}},
				hosts: map[string][]string{"a.example": {"127.0.0.1"}, "b.example": {"127.0.0.2"}},
			}
			port, all := listenOn(t, "127.0.0.1", "127.0.0.2")
			playOn(t, all[0], script{{say: c.first}})
			playOn(t, all[1], script{{say: c.second}})
			tr := transport(t, Settings{Resolver: z.resolver(t), Port: port, AllowPrivate: true})
			if r := deliver(t, tr, parcel("x@one.example"))[0]; r.Verdict != c.want {
				t.Errorf("reply = %+v, want the verdict %d", r, c.want)
			}
		})
	}
}

func TestDNSIsAskedOnceAMinute(t *testing.T) {
	t.Parallel()
	z := &zone{hosts: map[string][]string{"one.example": {"127.0.0.1"}}}
	_, s := servers(t, z, nil, "127.0.0.1")
	clock := newClock()
	s.Now = clock.now
	tr := transport(t, s)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {routeAge - 1, 1}, {1, 2}} {
		clock.pass(step.after)
		deliver(t, tr, parcel("x@one.example"))
		deliver(t, tr, parcel("x@none.example"))
		for _, domain := range []string{"one.example", "none.example"} {
			if got := z.questions("TypeMX " + domain); got != step.want {
				t.Errorf("DNS was asked for the MX of %s %d times, want %d", domain, got, step.want)
			}
		}
	}
}

// TestTLSToServersOfRecipients is used where it is offered, with whatever certificate.
func TestTLSToServersOfRecipients(t *testing.T) {
	t.Parallel()
	good, roots := certify(t, "mx.example")
	bad, _ := certify(t, "other.example")
	for name, c := range map[string]struct {
		certificate *tls.Certificate
		require     bool
		want        email.Reply
		tls         string
	}{
		"good":              {&good, false, email.Reply{Verdict: email.Delivered}, "TLSv1.3"},
		"bad":               {&bad, false, email.Reply{Verdict: email.Delivered}, "TLSv1.3"},
		"none":              {nil, false, email.Reply{Verdict: email.Delivered}, ""},
		"good, demanded":    {&good, true, email.Reply{Verdict: email.Delivered}, "TLSv1.3"},
		"bad, demanded":     {&bad, true, email.Reply{Verdict: email.Deferred, Enhanced: "4.7.5"}, ""},
		"missing, demanded": {nil, true, email.Reply{Verdict: email.Deferred, Enhanced: "4.7.4"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := &zone{mx: map[string][]string{"one.example": {"10 mx.example"}}, hosts: map[string][]string{"mx.example": {"127.0.0.1"}}}
			peers, s := servers(t, z, func(_ int, p *peer) {
				if c.certificate != nil {
					p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*c.certificate}}
				}
			}, "127.0.0.1")
			s.TLS = &tls.Config{RootCAs: roots}
			p := parcel("x@one.example")
			p.RequireTLS = c.require
			tr := transport(t, s)
			r := deliver(t, tr, p)[0]
			if r.Verdict != c.want.Verdict || c.want.Enhanced != "" && r.Enhanced != c.want.Enhanced || r.TLS != c.tls {
				t.Errorf("reply = %+v, want %+v over %q", r, c.want, c.tls)
			}
			for _, d := range peers[0].deliveries() {
				if d.TLS != (c.tls != "") {
					t.Errorf("the mail came with TLS: %v, want %v", d.TLS, c.tls != "")
				}
			}
			if c.require { // those that demand nothing are not the worse for it
				if r := deliver(t, tr, parcel("x@one.example"))[0]; r.Verdict != email.Delivered {
					t.Errorf("a mail that demands nothing: %+v, want delivered", r)
				}
			}
		})
	}
}

// TestBrokenTLS is done without, unless it is demanded.
func TestBrokenTLS(t *testing.T) {
	t.Parallel()
	z := &zone{hosts: map[string][]string{"one.example": {"127.0.0.1"}}}
	port, all := listenOn(t, "127.0.0.1")
	broken := script{{say: "220 x\r\n"}, {hear: "EHLO", say: "250-x\r\n250 STARTTLS\r\n"}, {hear: "STARTTLS", say: "220 go\r\n", do: func(c net.Conn) {
		hang(c) // until the handshake begins
		_, _ = c.Write([]byte("nonsense\r\n"))
	}}}
	take := script{
		{say: "220 x\r\n"},
		{hear: "EHLO", say: "250-x\r\n250 STARTTLS\r\n"},
		{hear: "MAIL", say: "250 ok\r\n"},
		{hear: "RCPT", say: "250 ok\r\n"},
		{hear: "DATA", say: "354 go\r\n"},
		{hear: ".", say: "250 2.0.0 taken\r\n"},
		{hear: "QUIT", say: "221 bye\r\n"},
	}
	playOn(t, all[0], broken, take, broken)
	tr := transport(t, Settings{Resolver: z.resolver(t), Port: port, AllowPrivate: true, MaxMessages: 1})
	if r := deliver(t, tr, parcel("x@one.example"))[0]; r.Verdict != email.Delivered || r.TLS != "" {
		t.Errorf("reply = %+v, want delivered in the clear", r)
	}
	p := parcel("x@one.example")
	p.RequireTLS = true
	if r := deliver(t, tr, p)[0]; r.Verdict != email.Deferred || r.Enhanced != "4.7.5" {
		t.Errorf("with TLS demanded: %+v, want deferred", r)
	}
}

func TestAllowedDomains(t *testing.T) {
	t.Parallel()
	z := &zone{hosts: map[string][]string{"one.example": {"127.0.0.1"}, "sub.one.example": {"127.0.0.1"}}}
	_, s := servers(t, z, nil, "127.0.0.1")
	s.AllowedDomains = []string{"One.example", "bücher.example"}
	replies := deliver(t, transport(t, s), parcel("a@one.example", "b@sub.one.example", "c@two.example"))
	want(t, replies,
		email.Reply{Recipients: []int{0}, Verdict: email.Delivered, Code: 250, Enhanced: "2.0.0", Text: "250 2.0.0 OK: queued"},
		email.Reply{Recipients: []int{1}, Verdict: email.Refused, Enhanced: "5.7.1", Text: "this server may not send mail to sub.one.example"},
		email.Reply{Recipients: []int{2}, Verdict: email.Refused, Enhanced: "5.7.1", Text: "this server may not send mail to two.example"},
	)
	if n := z.questions("TypeMX two.example"); n != 0 {
		t.Errorf("DNS was asked for a domain that is not allowed %d times", n)
	}
}
