package sipcall_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/event"
	"tidings/internal/rtpaudio"
	"tidings/internal/sdp"
	"tidings/internal/siptrunk"
)

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

func TestIPv6(t *testing.T) {
	t.Parallel()
	six := netip.IPv6Loopback()
	callee := newCalleeAt(t, six)
	r := newRig(t, func(s *setUp) { s.callee, s.media, s.Listen = callee, six, "[::1]:0" })
	c := r.call()
	invite, _ := r.pickUp(c)
	if got := invite.Recipient.Host; got != "[::1]" || !strings.Contains(string(invite.Body()), "IN IP6 ::1") {
		t.Errorf("INVITE to %q with %s", got, invite.Body())
	}
	r.callee.isHungUp()
	c.ends(event.VoiceCompleted, "")
	r.wasHeard(sdp.PCMU)
}

// TestSizeOfInvite leaves room for credentials in a datagram of 1,300 bytes.
func TestSizeOfInvite(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setUp) { s.trunks[0].Plus = true })
	c := r.call()
	invite := r.callee.takes(sip.INVITE)
	if n := len(invite.String()); n > 1000 {
		t.Errorf("the INVITE has %d bytes, want at most 1000", n)
	}
	r.callee.answers(invite, 486, "Busy Here")
	c.ends(event.VoiceBusy, "SIP 486 Busy Here")
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
		s.FirstAnswer = 2 * time.Second
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
