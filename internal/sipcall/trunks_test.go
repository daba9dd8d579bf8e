package sipcall_test

import (
	"bytes"
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
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/event"
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

// twoTrunks are the callee, and another one behind it.
func twoTrunks(second *callee) func(*setUp) {
	return func(s *setUp) {
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
			r := newRig(t, twoTrunks(second), func(s *setUp) {
				if name == "silence" {
					s.FirstAnswer = time.Second
				}
			})
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
