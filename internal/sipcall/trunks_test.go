package sipcall_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"
	"github.com/icholy/digest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/event"
	"tidings/internal/rtpaudio"
	"tidings/internal/sdp"
	"tidings/internal/sipcall"
	"tidings/internal/siptrunk"
	"tidings/internal/voice"
)

// TestHeaders is what trunks get to see, by their configuration.
func TestHeaders(t *testing.T) {
	t.Parallel()
	type seen struct{ Line, To, From, Asserted, Route string }
	tests := []struct {
		name   string
		config siptrunk.Config
		caller voice.Phone
		want   seen // % is the callee's address
	}{
		{"plain", siptrunk.Config{}, "", seen{"sip:12065550100@%", "sip:12065550100@127.0.0.1", "sip:12065550199@127.0.0.1", "<sip:12065550199@127.0.0.1>", ""}},
		{"plus", siptrunk.Config{Plus: true, CallerID: siptrunk.CallerIDFrom}, "", seen{"sip:+12065550100@%", "sip:+12065550100@127.0.0.1", "sip:+12065550199@127.0.0.1", "", ""}},
		{"prefix", siptrunk.Config{Dial: "9#"}, "+442071838750", seen{"sip:9%2312065550100@%", "sip:9%2312065550100@127.0.0.1", "sip:442071838750@127.0.0.1", "<sip:442071838750@127.0.0.1>", ""}},
		{
			"user name",
			siptrunk.Config{CallerID: siptrunk.CallerIDPAI, Username: "me@home", Domain: "example.com", Plus: true},
			"",
			seen{"sip:+12065550100@%", "sip:+12065550100@127.0.0.1", "sip:me%40home@example.com", "<sip:+12065550199@example.com>", ""},
		},
		{
			"proxy",
			siptrunk.Config{Server: "carrier.example.com", Proxy: "%"},
			"",
			seen{"sip:12065550100@carrier.example.com", "sip:12065550100@carrier.example.com", "sip:12065550199@carrier.example.com", "<sip:12065550199@carrier.example.com>", "<sip:%;lr>"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			callee := newCallee(t)
			r := newRig(t, func(s *setUp) {
				s.callee = callee
				c := tt.config
				c.Name, c.Proxy = "carrier", strings.ReplaceAll(c.Proxy, "%", callee.addr())
				s.trunks[0] = c
			})
			m := message()
			m.CallerID = tt.caller
			c := r.dial(m, nil)
			invite := callee.takes(sip.INVITE)
			got := seen{
				Line: invite.Recipient.String(), To: invite.To().Address.String(), From: invite.From().Address.String(),
			}
			if h := invite.GetHeader("P-Asserted-Identity"); h != nil {
				got.Asserted = h.Value()
			}
			if h := invite.Route(); h != nil {
				got.Route = h.Value()
			}
			want := tt.want
			for _, s := range []*string{&want.Line, &want.Route} {
				*s = strings.ReplaceAll(strings.ReplaceAll(*s, "%23", "\x00"), "%", callee.addr())
				*s = strings.ReplaceAll(*s, "\x00", "%23")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("INVITE (-want +got):\n%s", diff)
			}
			if got, want := invite.Source(), r.dialer.Addr().String(); got != want || invite.Via().SentBy() != want {
				t.Errorf("INVITE from %s, Via %s, want %s", got, invite.Via().SentBy(), want)
			}
			if !invite.Via().Params.Has("rport") {
				t.Error("no rport in Via")
			}
			callee.answers(invite, 486, "Busy Here")
			c.ends(event.VoiceBusy, "SIP 486 Busy Here")
		})
	}
}

func TestPublicAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.PublicAddress = netip.MustParseAddr("192.0.2.7") })
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	d, err := sdp.Parse(invite.Body())
	if err != nil || d.Address.String() != "192.0.2.7" {
		t.Errorf("SDP %s, want 192.0.2.7 in it", invite.Body())
	}
	if invite.Contact().Address.Host != "192.0.2.7" || invite.Via().Host != "192.0.2.7" {
		t.Errorf("Contact %v, Via %v, want 192.0.2.7", invite.Contact(), invite.Via())
	}
	r.callee.answers(invite, 486, "Busy Here")
	c.ends(event.VoiceBusy, "SIP 486 Busy Here")
}

// hashes are the algorithms, as somebody else computes them.
var hashes = map[string]func(string) string{
	"MD5":     func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) },
	"md5":     func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) },
	"SHA-256": func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) },
}

// verified reports whether a request has the right credentials in the header. Source: RFC
// 2617 section 3.2.2, RFC 7616 section 3.4.
func verified(r *sip.Request, header, algorithm, nonce string) error {
	h := r.GetHeader(header)
	if h == nil {
		return fmt.Errorf("no %s", header)
	}
	k, err := digest.ParseCredentials(h.Value())
	if err != nil {
		return err
	}
	hash := hashes[algorithm]
	a1, a2 := hash("alice:carrier:secret"), hash(string(r.Method)+":"+r.Recipient.String())
	want := hash(a1 + ":" + nonce + ":" + a2)
	if k.QOP != "" {
		want = hash(fmt.Sprintf("%s:%s:%08x:%s:%s:%s", a1, nonce, k.Nc, k.Cnonce, k.QOP, a2))
	}
	if k.Response != want || k.URI != r.Recipient.String() || k.Nonce != nonce {
		return fmt.Errorf("%s: %s: response %q, want %q", header, h.Value(), k.Response, want)
	}
	return nil
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	const (
		asks, gives   = "WWW-Authenticate", "Authorization"
		pAsks, pGives = "Proxy-Authenticate", "Proxy-Authorization"
	)
	for name, rounds := range map[string][]struct {
		status    int
		asks      string
		challenge string
		gives     string
		algorithm string
		nonce     string
	}{
		"401":                  {{401, asks, `Digest realm="carrier", nonce="a", qop="auth"`, gives, "MD5", "a"}},
		"401 without qop":      {{401, asks, `Digest realm="carrier",nonce="a",algorithm=md5`, gives, "md5", "a"}},
		"407 with SHA-256":     {{407, pAsks, `Digest realm="carrier", nonce="a", algorithm=SHA-256, qop="auth, auth-int", opaque="x"`, pGives, "SHA-256", "a"}},
		"stale":                {{401, asks, `Digest realm="carrier", nonce="a"`, gives, "MD5", "a"}, {401, asks, `Digest realm="carrier", nonce="b", stale=TRUE`, gives, "MD5", "b"}},
		"proxy, then server":   {{407, pAsks, `Digest realm="carrier", nonce="a"`, pGives, "MD5", "a"}, {401, asks, `Digest realm="carrier", nonce="b"`, gives, "MD5", "b"}},
		"unknown ones ignored": {{401, asks, "Digest realm=\"carrier\", nonce=\"z\", algorithm=X\r\nWWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest realm=\"carrier\", nonce=\"a\"", gives, "MD5", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *setUp) { s.trunks[0].Username, s.trunks[0].Password = "alice", "secret" })
			c := r.call()
			invite := r.callee.takes(sip.INVITE)
			for _, round := range rounds {
				r.callee.answers(invite, round.status, "Challenge", with(round.asks, round.challenge))
				r.callee.takes(sip.ACK)
				next := r.callee.takes(sip.INVITE)
				if next.CSeq().SeqNo != invite.CSeq().SeqNo+1 || next.CallID().Value() != invite.CallID().Value() {
					t.Errorf("the INVITE with credentials, %v, does not continue %v", next, invite)
				}
				if err := verified(next, round.gives, round.algorithm, round.nonce); err != nil {
					t.Error(err)
				}
				invite = next
			}
			r.callee.answers(invite, 200, "OK", r.callee.describes())
			ack := r.callee.takes(sip.ACK)
			if ack.GetHeader(rounds[0].gives) == nil {
				t.Error("the ACK has no credentials")
			}
			c.sees(event.VoiceAnswered)
			// The BYE is asked for credentials of its own.
			bye := r.callee.takes(sip.BYE)
			r.callee.answers(bye, 407, "Challenge", with(pAsks, `Digest realm="carrier", nonce="bye"`))
			bye = r.callee.takes(sip.BYE)
			if err := verified(bye, pGives, "MD5", "bye"); err != nil {
				t.Error(err)
			}
			r.callee.answers(bye, 200, "OK")
			c.ends(event.VoiceCompleted, "")
		})
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].Username = "alice" })
	c := r.call()
	for range 2 {
		r.callee.answers(r.callee.takes(sip.INVITE), 401, "Unauthorized", with("WWW-Authenticate", `Digest realm="carrier", nonce="a"`))
		r.callee.takes(sip.ACK)
	}
	c.ends(event.VoiceFailed, "SIP 401 Unauthorized")
}

func TestRealmOfSomebodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].Username, s.trunks[0].Realm = "alice", "carrier" })
	c := r.call()
	r.callee.answers(r.callee.takes(sip.INVITE), 401, "Unauthorized", with("WWW-Authenticate", `Digest realm="evil", nonce="a"`))
	r.callee.takes(sip.ACK)
	c.ends(event.VoiceFailed, "SIP 401 Unauthorized")
}

// twoTrunks are the callee, and another one behind it.
func twoTrunks(second *callee) func(*setUp) {
	return func(s *setUp) {
		s.FirstAnswer = 200 * time.Millisecond
		s.trunks = []siptrunk.Config{{Name: "first"}, {Name: "second", Server: second.addr(), Priority: 1}}
	}
}

func TestFailOver(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(c *callee){
		"503": func(c *callee) {
			invite := c.takes(sip.INVITE)
			c.answers(invite, 100, "Trying")
			c.answers(invite, 503, "Service Unavailable", with("Retry-After", "30"))
			c.takes(sip.ACK)
		},
		"500": func(c *callee) {
			c.answers(c.takes(sip.INVITE), 500, "Server Internal Error")
			c.takes(sip.ACK)
		},
		"408":     func(c *callee) { c.answers(c.takes(sip.INVITE), 408, "Request Timeout"); c.takes(sip.ACK) },
		"silence": func(c *callee) { c.takes(sip.INVITE) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := newCallee(t)
			r := newRig(t, twoTrunks(second))
			c := r.call()
			first(r.callee)
			invite := second.takes(sip.INVITE)
			second.answers(invite, 200, "OK", second.describes())
			second.takes(sip.ACK)
			c.sees(event.VoiceAnswered)
			second.isHungUp()
			c.ends(event.VoiceCompleted, "")
			if s := r.dialer.Trunks(); s[0].State != siptrunk.Down || s[1].State != siptrunk.Up {
				t.Errorf("trunks are %v and %v, want down and up", s[0].State, s[1].State)
			}
		})
	}
}

// TestNoFailOver has a phone that may have rung, or an answer that is not the trunk's own.
func TestNoFailOver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		provisional int
		status      int
		cause       string
		want        event.Type
		reason      string
	}{
		"rang, then 503":    {180, 503, "", event.VoiceFailed, "SIP 503 X"},
		"early, then 500":   {183, 500, "", event.VoiceFailed, "SIP 500 X"},
		"notified, 503":     {199, 503, "", event.VoiceFailed, "SIP 503 X"},
		"busy":              {100, 486, "", event.VoiceBusy, "SIP 486 X"},
		"not found":         {100, 404, "", event.VoiceFailed, "SIP 404 X"},
		"503 of the callee": {100, 503, "Q.850;cause=17", event.VoiceBusy, "SIP 503 X, Q.850 cause 17"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second := newCallee(t)
			r := newRig(t, twoTrunks(second))
			c := r.call()
			invite := r.callee.takes(sip.INVITE)
			r.callee.answers(invite, tt.provisional, "Wait", with("RSeq", "1"), with("Require", "100rel"))
			if tt.provisional == 180 || tt.provisional == 183 {
				c.sees(event.VoiceRinging)
			}
			if tt.provisional > 100 { // it was taken when it is confirmed
				r.callee.answers(r.callee.takes(sip.PRACK), 200, "OK")
			}
			r.callee.answers(invite, tt.status, "X", func(res *sip.Response) {
				if tt.cause != "" {
					res.AppendHeader(sip.NewHeader("Reason", tt.cause))
				}
			})
			r.callee.takes(sip.ACK)
			c.ends(tt.want, tt.reason)
			if len(second.in) > 0 {
				t.Errorf("the second trunk got %v", <-second.in)
			}
		})
	}
}

func TestNoTrunk(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].Prefixes = []string{"+44"} })
	r.call().ends(event.VoiceFailed, "no trunk serves this number")
}

// unused is a port where nobody listens.
func unused(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("Listen() = %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTCPIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].Transport, s.trunks[0].Server = siptrunk.TCP, unused(t) })
	r.call().ends(event.VoiceFailed, "the trunk cannot be reached")
}

// talks plays a whole call over the callee's transport, with a re-INVITE and a BYE through the
// connection that is there.
func (r *rig) talks() {
	r.Helper()
	c := r.call()
	invite, ack := r.pickUp(c)
	if got := invite.Via().Transport; got != r.callee.transport {
		r.Errorf("Via of INVITE by %s, want %s", got, r.callee.transport)
	}
	if got, _ := invite.Contact().Address.UriParams.Get("transport"); !strings.EqualFold(got, r.callee.transport) {
		r.Errorf("Contact %v, want transport %s", invite.Contact(), r.callee.transport)
	}
	update := r.callee.request(invite, sip.UPDATE, 1, nil)
	r.callee.sends(update, ack.Source())
	r.callee.gets(200)
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	r.wasHeard(sdp.PCMU)
}

func TestTCP(t *testing.T) {
	t.Parallel()
	callee := newTCPCallee(t)
	newRig(t, func(s *setUp) { s.callee, s.trunks[0].Transport = callee, siptrunk.TCP }).talks()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	callee, config := newTLSCallee(t)
	newRig(t, func(s *setUp) {
		s.callee, s.Resolver = callee, book{addresses: map[string][]netip.Addr{"carrier.example.com": {localhost}}}
		_, port, _ := net.SplitHostPort(callee.addr())
		s.trunks[0].Transport, s.trunks[0].TLS, s.trunks[0].Server = siptrunk.TLS, config, "carrier.example.com:"+port
	}).talks()
}

// TestTLSWithTheWrongName does not call through somebody whose certificate is another's.
func TestTLSWithTheWrongName(t *testing.T) {
	t.Parallel()
	callee, config := newTLSCallee(t)
	r := newRig(t, func(s *setUp) {
		s.callee, s.trunks[0].Transport, s.trunks[0].TLS = callee, siptrunk.TLS, config
	})
	r.call().ends(event.VoiceFailed, "the trunk cannot be reached")
}

// TestSRTP has a second wheel as the callee's sound.
func TestSRTP(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].SRTP = true })
	wheel, err := rtpaudio.New(rtpaudio.Options{Address: localhost, Shards: 1})
	if err != nil {
		t.Fatalf("rtpaudio.New() = %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var turning sync.WaitGroup
	turning.Go(func() { _ = wheel.Run(ctx) })
	t.Cleanup(func() { stop(); turning.Wait() })
	stream, err := wheel.Open()
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	defer stream.Close()
	var mu sync.Mutex
	var heard []byte
	stream.Listen(func(_ uint8, data []byte) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, data...)
	})

	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	offer, err := sdp.Parse(invite.Body())
	if err != nil {
		t.Fatalf("Parse() = %v", err)
	}
	local := &sdp.Local{Address: localhost, Port: stream.Port(), Key: sdp.NewKey()}
	answer, m, err := offer.Answer(local)
	if err != nil {
		t.Fatalf("Answer() = %v", err)
	}
	peer := rtpaudio.Peer{RTP: m.RTP, Keys: &rtpaudio.Keys{Local: local.Key, Remote: m.Key}}
	if err := stream.Start(peer, time.Minute, 0); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	r.callee.answers(invite, 200, "OK", func(res *sip.Response) { carry(res, answer) })
	r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	stream.Close()
	mu.Lock()
	defer mu.Unlock()
	if !bytes.Contains(heard, r.encoded(sdp.PCMU)) {
		t.Errorf("%d bytes of sound without the message", len(heard))
	}
}

// TestSRTPIsDemanded never falls back to plain RTP.
func TestSRTPIsDemanded(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].SRTP = true })
	c := r.call()
	r.callee.answers(r.callee.takes(sip.INVITE), 200, "OK", r.callee.describes())
	r.callee.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	r.callee.isHungUp()
	c.ends(event.VoiceFailed, "the callee's phone offers no sound that can be used")
}

var localhost = netip.MustParseAddr("127.0.0.1")

// book is a Resolver.
type book struct {
	services  map[string][]*net.SRV // by "_sip._udp.example.com"
	addresses map[string][]netip.Addr
}

func (b book) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	found := b.services[fmt.Sprintf("_%s._%s.%s", service, proto, name)]
	if found == nil {
		return "", nil, errors.New("no such service")
	}
	return "", found, nil
}

func (b book) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	found := b.addresses[host]
	if found == nil {
		return nil, errors.New("no such host")
	}
	return found, nil
}

// TestNames finds the trunk by SRV records, passes over who does not answer, and stays with
// who did.
func TestNames(t *testing.T) {
	t.Parallel()
	dead, live := newCallee(t), newCallee(t)
	port := func(c *callee) uint16 { return netip.MustParseAddrPort(c.addr()).Port() }
	r := newRig(t, func(s *setUp) {
		s.callee = live
		s.FirstAnswer = 400 * time.Millisecond
		s.trunks[0].Server = "carrier.example.com"
		s.Resolver = book{
			services: map[string][]*net.SRV{"_sip._udp.carrier.example.com": {
				{Target: "one.example.com.", Port: port(dead)}, {Target: "two.example.com.", Port: port(live)},
			}},
			addresses: map[string][]netip.Addr{"one.example.com": {localhost}, "two.example.com": {localhost}},
		}
	})
	c := r.call()
	dead.takes(sip.INVITE)
	invite := live.takes(sip.INVITE)
	if got, want := invite.Recipient.String(), "sip:12065550100@carrier.example.com"; got != want {
		t.Errorf("INVITE %s, want %s", got, want)
	}
	named := func(res *sip.Response) {
		res.Contact().Address.Host, res.Contact().Address.Port = "carrier.example.com", 0
	}
	live.answers(invite, 200, "OK", live.describes(), named)
	live.takes(sip.ACK)
	c.sees(event.VoiceAnswered)
	live.isHungUp()
	c.ends(event.VoiceCompleted, "")
}

func TestNameIsUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].Server, s.Resolver = "nowhere.example.com", book{} })
	r.call().ends(event.VoiceFailed, "the trunk cannot be reached")
}

// TestLongRequest goes by TCP where the trunk takes it, and fails plainly where not.
func TestLongRequest(t *testing.T) {
	t.Parallel()
	long := func(c *siptrunk.Config) {
		c.Domain, c.Username, c.CallerID = strings.Repeat("long.", 45)+"example.com", strings.Repeat("long", 60), siptrunk.CallerIDPAI
	}
	t.Run("TCP", func(t *testing.T) {
		t.Parallel()
		callee := newTCPCallee(t)
		r := newRig(t, func(s *setUp) { s.callee = callee; long(&s.trunks[0]) })
		c := r.call()
		invite := callee.takes(sip.INVITE)
		if invite.Via().Transport != "TCP" {
			t.Errorf("Via %v, want TCP", invite.Via())
		}
		callee.answers(invite, 180, "Ringing")
		c.sees(event.VoiceRinging)
		callee.answers(invite, 200, "OK", callee.describes())
		callee.takes(sip.ACK)
		c.sees(event.VoiceAnswered)
		callee.isHungUp()
		c.ends(event.VoiceCompleted, "")
	})
	t.Run("no TCP", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, func(s *setUp) { long(&s.trunks[0]) })
		r.call().ends(event.VoiceFailed, "the call's request is too long for the trunk")
	})
}

// TestStrangers are not let in; those known cannot call us.
func TestStrangers(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	r := newRig(t, func(s *setUp) {
		s.Registerer, s.trunks[0].Allow = reg, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Skipf("the system has no 127.0.0.2: %v", err)
	}
	defer stranger.Close()
	home := r.dialer.Addr()
	if _, err := stranger.WriteToUDPAddrPort([]byte("OPTIONS sip:x SIP/2.0\r\n\r\n"), home); err != nil {
		t.Fatalf("WriteTo() = %v", err)
	}

	ask := func(method sip.RequestMethod, toTag string) {
		to := sip.Uri{Scheme: "sip", User: "tidings", Host: home.Addr().String(), Port: int(home.Port())}
		q := sip.NewRequest(method, to)
		q.AppendHeader(&sip.ContactHeader{Address: to})
		q.AppendHeader(&sip.FromHeader{Address: to, Params: sip.HeaderParams{{K: "tag", V: "x"}}})
		q.AppendHeader(&sip.ToHeader{Address: to})
		id := sip.CallIDHeader("unknown")
		q.AppendHeader(&id)
		m := r.callee.request(q, method, 1, nil)
		m.To().Params = nil
		if toTag != "" {
			m.To().Params = sip.HeaderParams{{K: "tag", V: toTag}}
		}
		r.callee.asks(m)
	}
	ask(sip.OPTIONS, "")
	r.callee.gets(200)
	ask(sip.INVITE, "")
	r.callee.gets(403)
	ask(sip.INVITE, "y")
	r.callee.gets(481)
	ask(sip.BYE, "y")
	r.callee.gets(481)
	ask(sip.BYE, "")
	r.callee.gets(481)
	ask(sip.MESSAGE, "")
	r.callee.gets(405)
	want := "# HELP tidings_sip_strangers_total Datagrams and connections dropped because no trunk sent them.\n# TYPE tidings_sip_strangers_total counter\ntidings_sip_strangers_total 1\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "tidings_sip_strangers_total"); err != nil {
		t.Error(err)
	}
}

// TestRegister registers and asks by OPTIONS, as the pool wants it.
func TestRegister(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) {
		c := &s.trunks[0]
		c.Register, c.Options, c.Username, c.Password = true, time.Hour, "alice", "secret"
	})
	for range 3 { // OPTIONS, and REGISTER twice, in any order
		switch m := r.callee.takesAny(); {
		case m.Method == sip.OPTIONS:
			r.callee.answers(m, 200, "OK")
		case m.Method == sip.REGISTER && m.GetHeader("Authorization") == nil:
			if m.Contact() == nil || m.Contact().Address.Port != int(r.dialer.Addr().Port()) {
				t.Errorf("Contact of REGISTER %v, want port %d", m.Contact(), r.dialer.Addr().Port())
			}
			r.callee.answers(m, 401, "Unauthorized", with("WWW-Authenticate", `Digest realm="carrier", nonce="a"`))
		case m.Method == sip.REGISTER:
			if err := verified(m, "Authorization", "MD5", "a"); err != nil {
				t.Error(err)
			}
			r.callee.answers(m, 200, "OK", with("Expires", "60"))
		default:
			t.Errorf("%s", m.Method)
		}
	}
	for begun := time.Now(); ; runtime.Gosched() {
		s := r.dialer.Trunks()[0]
		if !s.Registered.IsZero() && s.State == siptrunk.Up {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("the trunk is %+v, want it up and registered", s)
		}
	}
}

// later is an Opening that waits for a cue.
type later struct {
	begin chan struct{}
	hears chan uint8
}

func (l later) Answered() sipcall.Cue {
	return sipcall.Cue{Begin: l.begin, Hear: func(payload uint8, _ []byte) {
		select {
		case l.hears <- payload:
		default:
		}
	}}
}

// TestOpening lets the callee say something first.
func TestOpening(t *testing.T) {
	t.Parallel()
	o := later{make(chan struct{}), make(chan uint8, 1)}
	r := newRig(t, func(s *setUp) { s.Opening = o })
	c := r.call()
	invite, _ := r.pickUp(c)
	offer, err := sdp.Parse(invite.Body())
	if err != nil {
		t.Fatalf("Parse() = %v", err)
	}
	to := netip.AddrPortFrom(offer.Address, uint16(offer.Port))
	for i := 0; len(o.hears) == 0; i++ { // the stream may not be open for it yet
		packet := make([]byte, 172)
		packet[0], packet[3], packet[11] = 0x80, byte(i), 1
		if _, err := r.callee.rtp.WriteToUDPAddrPort(packet, to); err != nil {
			t.Fatalf("WriteTo() = %v", err)
		}
		runtime.Gosched()
	}
	if n := r.callee.count([]byte{0xff}); n > 0 {
		t.Error("something was sent before the cue")
	}
	close(o.begin)
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	r.wasHeard(sdp.PCMU)
}

// lockedBuffer is written by many.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// TestLogKeepsSecrets writes a line per message, and neither numbers nor credentials.
func TestLogKeepsSecrets(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	r := newRig(t, func(s *setUp) {
		s.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s.trunks[0].Username, s.trunks[0].Password = "alice", "secret"
	})
	c := r.call()
	r.callee.answers(r.callee.takes(sip.INVITE), 401, "Unauthorized", with("WWW-Authenticate", `Digest realm="carrier", nonce="anonce"`))
	r.callee.takes(sip.ACK)
	if err := r.callee.write([]byte("SIP/2.0 200 12065550100\r\nTo: <sip:12065550100@x>\r\nbroken\r\n\r\n"), r.dialer.Addr().String()); err != nil {
		t.Fatalf("write() = %v", err)
	}
	r.callee.answers(r.callee.takes(sip.INVITE), 486, "Busy Here")
	r.callee.takes(sip.ACK)
	c.ends(event.VoiceBusy, "SIP 486 Busy Here")
	r.stop()
	got := log.b.String()
	for _, secret := range []string{"2065550100", "2065550199", "alice", "secret", "anonce", "response="} {
		if strings.Contains(got, secret) {
			t.Errorf("the log has %q:\n%s", secret, got)
		}
	}
	for _, line := range []string{"method=INVITE", "status=486", "sipgo: "} {
		if !strings.Contains(got, line) {
			t.Errorf("the log has no %q:\n%s", line, got)
		}
	}
}
