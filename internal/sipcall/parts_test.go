package sipcall

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/audio"
	"tidings/internal/rtpaudio"
	"tidings/internal/siptrunk"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// tone saves a message of 100 ms, which is 800 bytes of G.711.
func tone(t *testing.T, dir, name string) voice.Speech {
	t.Helper()
	s := voice.Speech{File: filepath.Join(dir, name), Duration: 100 * time.Millisecond}
	if err := wav.New(8000, audio.Tone(440, -10, s.Duration, 8000)).Save(s.File); err != nil {
		t.Fatalf("Save() = %v", err)
	}
	return s
}

func open(t *testing.T, s *sounds, speech voice.Speech) *sound {
	t.Helper()
	f, err := s.open(speech)
	if err != nil {
		t.Fatalf("open(%s) = %v", speech.File, err)
	}
	return f
}

func TestSoundsAreEncodedOnce(t *testing.T) {
	t.Parallel()
	s := newSounds(1600)
	dir := t.TempDir()
	a := tone(t, dir, "a")
	one, two := open(t, s, a), open(t, s, a)
	if one != two || s.size != 800 {
		t.Errorf("two calls of one message share it: %v, %d bytes, want 800", one == two, s.size)
	}
	one.close()
	two.close()
	if open(t, s, a) != one {
		t.Error("what fits is not kept for the next call")
	}
	one.close()

	b, c := open(t, s, tone(t, dir, "b")), open(t, s, tone(t, dir, "c"))
	if s.size != 2400 {
		t.Errorf("%d bytes, want 2400: nothing is dropped while the bound is not looked at", s.size)
	}
	b.close() // the least recently used goes
	if _, ok := s.files[a.File]; ok || s.size != 1600 {
		t.Errorf("kept %d bytes, the oldest: %v, want 1600, false", s.size, ok)
	}
	c.close()
	if s.size != 1600 {
		t.Errorf("kept %d bytes, want 1600", s.size)
	}
}

func TestSoundsInUseStay(t *testing.T) {
	t.Parallel()
	s := newSounds(0)
	a := tone(t, t.TempDir(), "a")
	f := open(t, s, a)
	open(t, s, a).close() // the other user
	if len(s.files) != 1 {
		t.Error("what a call uses was dropped when another one had ended")
	}
	if err := os.Remove(a.File); err != nil {
		t.Fatalf("Remove() = %v", err)
	}
	mu, err := f.in(rtpaudio.PCMU)
	if err != nil || len(mu) != 800 {
		t.Errorf("in(PCMU) = %d bytes, %v, want 800", len(mu), err)
	}
	alaw, err := f.in(rtpaudio.PCMA) // the file is gone, the other law has to do
	if err != nil || len(alaw) != 800 || bytes.Equal(alaw, mu) {
		t.Errorf("in(PCMA) = %d bytes, %v, want 800 others", len(alaw), err)
	}
	f.close()
	if len(s.files) != 0 || s.size != 0 {
		t.Errorf("kept %d bytes of %d messages, want none", s.size, len(s.files))
	}
	if _, err := s.open(a); err == nil || len(s.files) != 0 {
		t.Errorf("open() of nothing = %v, keeps %d", err, len(s.files))
	}
}

func TestSilenceIsShared(t *testing.T) {
	t.Parallel()
	s := newSounds(0)
	for _, law := range []uint8{rtpaudio.PCMU, rtpaudio.PCMA} {
		long, short := s.silence(time.Second, law), s.silence(time.Millisecond, law)
		if len(long) != 8000 || len(short) != 8 || &long[0] != &short[0] || cap(short) != 8 {
			t.Errorf("law %d: %d and %d bytes, want 8000 and 8 of the same", law, len(long), len(short))
		}
	}
}

// lookUps is a Resolver that counts.
type lookUps struct {
	services  []*net.SRV
	addresses map[string][]netip.Addr
	asked     int
}

func (l *lookUps) LookupSRV(_ context.Context, _, _, _ string) (string, []*net.SRV, error) {
	l.asked++
	if l.services == nil {
		return "", nil, errors.New("none")
	}
	return "", l.services, nil
}

func (l *lookUps) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	l.asked++
	if l.addresses[host] == nil {
		return nil, errors.New("none")
	}
	return l.addresses[host], nil
}

func TestNamesOfServers(t *testing.T) {
	t.Parallel()
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	hosts := map[string][]netip.Addr{"a": {six, four}, "b": {four}}
	tests := []struct {
		server   string
		network  siptrunk.Transport
		services []*net.SRV
		want     []string // nil = an error
	}{
		{"192.0.2.9", siptrunk.UDP, nil, []string{"192.0.2.9:5060"}},
		{"192.0.2.9:5080", siptrunk.TLS, nil, []string{"192.0.2.9:5080"}},
		{"[2001:db8::9]", siptrunk.TLS, nil, []string{"[2001:db8::9]:5061"}},
		{"[2001:db8::9]:1", siptrunk.TCP, nil, []string{"[2001:db8::9]:1"}},
		{"a", siptrunk.UDP, nil, []string{"192.0.2.1:5060", "[2001:db8::1]:5060"}},
		{"a:7", siptrunk.UDP, []*net.SRV{{Target: "b", Port: 9}}, []string{"192.0.2.1:7", "[2001:db8::1]:7"}},
		{"x", siptrunk.TLS, []*net.SRV{{Target: "b.", Port: 9}, {Target: "gone.", Port: 1}}, []string{"192.0.2.1:9"}},
		{"x", siptrunk.UDP, []*net.SRV{{Target: "."}}, nil},
		{"x", siptrunk.UDP, []*net.SRV{{Target: "gone.", Port: 1}}, nil},
		{"x", siptrunk.UDP, nil, nil},
	}
	for _, tt := range tests {
		n := newNames(&lookUps{services: tt.services, addresses: hosts})
		found, err := n.find(t.Context(), tt.server, tt.network)
		var got []string
		for _, f := range found {
			got = append(got, f.String())
		}
		if (err == nil) != (tt.want != nil) || !slices.Equal(got, tt.want) {
			t.Errorf("find(%q, %s) = %v, %v, want %v", tt.server, tt.network, got, err, tt.want)
		}
	}
}

// TestNamesAreKept for a minute, and beyond if they cannot be renewed.
func TestNamesAreKept(t *testing.T) {
	t.Parallel()
	four := netip.MustParseAddr("192.0.2.1")
	l := &lookUps{addresses: map[string][]netip.Addr{"a": {four}}}
	n := newNames(l)
	now := time.Now()
	n.now = func() time.Time { return now }
	find := func() []netip.AddrPort {
		got, err := n.find(t.Context(), "a:1", siptrunk.UDP)
		if err != nil {
			t.Fatalf("find() = %v", err)
		}
		return got
	}
	find()
	find()
	if l.asked != 1 {
		t.Errorf("asked %d times, want once", l.asked)
	}
	now = now.Add(fresh)
	l.addresses = nil
	if got := find(); l.asked != 2 || len(got) != 1 {
		t.Errorf("after a minute: asked %d times, got %v, want 2 and what was known", l.asked, got)
	}
}

func TestACL(t *testing.T) {
	t.Parallel()
	pool, err := siptrunk.New([]siptrunk.Config{{
		Name: "a", Server: "a", Prefixes: []string{"+"}, Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
	}}, siptrunk.Options{})
	if err != nil {
		t.Fatalf("siptrunk.New() = %v", err)
	}
	trunk := pool.Trunks()[0]
	a := newACL(pool.Trunks())
	address := netip.MustParseAddr
	for host, want := range map[string]bool{"192.0.2.77": true, "::ffff:192.0.2.77": true, "192.0.3.1": false, "2001:db8::5%eth0": true, "2001:db9::1": false} {
		if got := a.allows(address(host)); got != want {
			t.Errorf("allows(%s) = %v, want %v", host, got, want)
		}
	}
	server, hop := address("198.51.100.1"), address("203.0.113.1")
	a.resolved(trunk, []netip.AddrPort{netip.AddrPortFrom(server, 5060)})
	a.hold(hop)
	a.hold(hop)
	a.release(hop)
	if !a.allows(server) || !a.allows(hop) || !a.media(trunk, server) || a.media(trunk, hop) {
		t.Error("the trunk's server and a hop in use are to be allowed, and only the server's sound")
	}
	a.release(hop)
	a.resolved(trunk, nil)
	if a.allows(server) || a.allows(hop) {
		t.Error("addresses that are out of use are still allowed")
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"120": 2 * time.Minute, "5 (soon);duration=9": 5 * time.Second, "0": 0, "": 0, "soon": 0, "-1": 0, "99999999": maxRetryAfter, "99999999999999999999": 0,
	} {
		res := sip.NewResponse(503, "X")
		res.AppendHeader(sip.NewHeader("Retry-After", value))
		if got := retryAfter(res); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}
