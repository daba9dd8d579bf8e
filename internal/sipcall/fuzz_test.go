package sipcall

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/event"
	"tidings/internal/rtpaudio"
	"tidings/internal/siptrunk"
	"tidings/internal/voice"
)

// nobody is a Resolver that knows no names.
type nobody struct{}

var errNobody = errors.New("nobody is known")

func (nobody) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, errNobody
}

func (nobody) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errNobody
}

// FuzzResponse has a call take any two responses, as sipgo hands them over. Whatever they
// are, what customers read is clean, and who answered is acknowledged.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"SIP/2.0 180 Ringing\r\nTo: <sip:a@b>;tag=x\r\nRequire: 100rel\r\nRSeq: 1\r\nContact: <sip:x@127.0.0.1>\r\n\r\n",
		"SIP/2.0 200 OK\r\nTo: <sip:a@b>;tag=x\r\nContact: <sip:x@127.0.0.1;transport=tcp>\r\nRecord-Route: <sip:y>,<sip:z;lr>\r\nSession-Expires: 90;refresher=uac\r\nAllow: UPDATE\r\n\r\nv=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n",
		"SIP/2.0 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\r\n",
		"SIP/2.0 422 X\r\nMin-SE: 100\r\n\r\n",
		"SIP/2.0 503 X\r\nRetry-After: 5 (x)\r\nReason: Q.850;cause=34\r\n\r\n",
	} {
		f.Add([]byte(seed), []byte("SIP/2.0 200 OK\r\n\r\n"))
	}
	d, at := fuzzed(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		call := &call{number: "1", caller: "2", progress: func(event.Type) error { return nil }}
		call.Speech = voice.Speech{Duration: time.Millisecond, Estimated: true}
		call.sound, _ = d.sounds.open(call.Speech)
		var err error
		if call.stream, err = d.Media.Open(); err != nil {
			t.Fatalf("Open() = %v", err)
		}
		defer call.stream.Close()
		l := d.newLeg(call, d.Options.Trunks.Trunks()[0], at)
		l.open()
		defer l.close()
		l.deadline = time.NewTimer(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // who answers is hung up at once
		if err := l.send(t.Context()); err != nil {
			t.Fatalf("send() = %v", err)
		}
		defer func() { l.tx.Terminate() }()
		for _, b := range [][]byte{first, second} {
			m, err := sip.ParseMessage(b)
			res, ok := m.(*sip.Response)
			if err != nil || !ok {
				return
			}
			tame(res, at)
			v, over := l.take(ctx, res)
			if res.IsSuccess() {
				acknowledged(t, l, res)
			}
			if !over {
				continue
			}
			if len(v.outcome.Reason) > 200 || !isText(v.outcome.Reason) {
				t.Errorf("reason %q", v.outcome.Reason)
			}
			if want := []event.Type{event.VoiceCompleted, event.VoiceBusy, event.VoiceNoAnswer, event.VoiceFailed}; !slices.Contains(want, v.outcome.Type) {
				t.Errorf("outcome %q", v.outcome.Type)
			}
			return
		}
	})
}

// acknowledged checks that the callee of a 2xx got its ACK, if it can be reached at all.
func acknowledged(t *testing.T, l *leg, res *sip.Response) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.dialogs[tagOf(res)]
	if g == nil || !g.confirmed {
		t.Errorf("no call of %v", res)
		return
	}
	if _, err := l.wayOf(g); err == nil && g.ack == nil {
		t.Errorf("no ACK of %v", res)
	}
}

// tame keeps what is sent to the addresses in a response here.
func tame(res *sip.Response, at netip.AddrPort) {
	keep := func(u *sip.Uri) {
		u.Port = int(at.Port())
		if strings.ContainsAny(u.Host, "0123456789:") {
			u.Host = at.Addr().String()
		}
	}
	if c := res.Contact(); c != nil {
		keep(&c.Address)
	}
	for _, h := range res.GetHeaders("Record-Route") {
		if r, ok := h.(*sip.RecordRouteHeader); ok {
			keep(&r.Address)
		}
	}
}

// fuzzed makes a Dialer whose trunk takes everything and says nothing.
func fuzzed(f *testing.F) (*Dialer, netip.AddrPort) {
	f.Helper()
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		f.Fatalf("ListenUDP() = %v", err)
	}
	at := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	pool, err := siptrunk.New([]siptrunk.Config{{Name: "sink", Server: at.String(), Options: -1, Prefixes: []string{"+"}, Username: "u"}}, siptrunk.Options{})
	if err != nil {
		f.Fatalf("siptrunk.New() = %v", err)
	}
	wheel, err := rtpaudio.New(rtpaudio.Options{Address: at.Addr(), Shards: 1})
	if err != nil {
		f.Fatalf("rtpaudio.New() = %v", err)
	}
	d, err := New(Options{
		Listen: "127.0.0.1:0", Trunks: pool, Media: wheel, Resolver: nobody{},
		ByeTimeout: time.Millisecond, CancelTimeout: time.Millisecond,
	})
	if err != nil {
		f.Fatalf("New() = %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = d.Run(ctx) })
	running.Go(func() { _ = wheel.Run(ctx) })
	<-d.serving
	f.Cleanup(func() {
		stop()
		running.Wait()
		sink.Close()
	})
	return d, at
}
