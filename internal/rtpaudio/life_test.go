package rtpaudio

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestCloseInTheMiddle(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	start(t, s, c.peer(sound(8000*60, 0)), 0, 0)
	got := c.hear(t, 4)
	st := s.Close()
	<-s.Done()
	c.hear(t, int(st.Sent)-len(got))
	nothing(t, c.rtp)
	if st.Complete || st.Spoken != time.Duration(st.Sent)*20*time.Millisecond || st.Spoken == 0 {
		t.Errorf("Close() = %+v, want what was spoken, and that it is not complete", st)
	}
	if again := s.Close(); again != st {
		t.Errorf("Close() = %+v the second time, want %+v", again, st)
	}
	if n := w.streams(); n != 0 {
		t.Errorf("streams() = %d after Close, want 0", n)
	}
	s.Hold()
	s.Resume()
	if err := s.Redirect(c.peer(nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("Redirect() after Close = %v, want %v", err, ErrClosed)
	}
}

func TestCloseBeforeStart(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	if st := s.Close(); st != (Stats{}) {
		t.Errorf("Close() = %+v, want nothing", st)
	}
	<-s.Done()
	if err := s.Start(c.peer(nil), 0, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("Start() after Close = %v, want %v", err, ErrClosed)
	}
	nothing(t, c.rtcp)
}

// TestCloseWithoutRun closes streams, started and not, that no thread has ever seen.
func TestCloseWithoutRun(t *testing.T) {
	t.Parallel()
	w, err := New(Options{Address: loopback})
	if err != nil {
		t.Fatalf("New() = %v, want nil", err)
	}
	c, s, other := listening(t, loopback), open(t, w), open(t, w)
	start(t, s, c.peer(sound(160, 0)), 0, 0)
	for _, s := range []*Stream{s, other} {
		if st := s.Close(); st.Sent != 0 || st.Complete {
			t.Errorf("Close() = %+v, want nothing sent", st)
		}
		<-s.Done()
	}
}

func TestStartBeforeRun(t *testing.T) {
	t.Parallel()
	w, err := New(Options{Address: loopback, Shards: 1})
	if err != nil {
		t.Fatalf("New() = %v, want nil", err)
	}
	c, s := listening(t, loopback), open(t, w)
	start(t, s, c.peer(sound(800, 0)), 0, 0)
	w.shards[0].clock.stall(time.Hour) // it takes long until Run
	t.Cleanup(running(t, w))
	if got := c.hear(t, 5); len(payloads(got)) != 800 {
		t.Errorf("%d samples arrived, want 800", len(payloads(got)))
	}
	do(t, s, func() {
		if late := time.Duration(s.shard.slipped) * tick; late >= time.Hour {
			t.Errorf("the wheel is %v late, want it to begin when it runs", late)
		}
	})
	if err := w.Run(t.Context()); err == nil {
		t.Errorf("Run() = nil the second time, want an error")
	}
}

// TestRunEnds ends the wheel while streams are in all states.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	w, stop := stoppable(t, Options{})
	c, idle, busy, held := listening(t, loopback), open(t, w), open(t, w), open(t, w)
	start(t, busy, c.peer(sound(8000*60, 0)), 0, 0)
	held.Hold()
	start(t, held, c.peer(sound(8000, 0)), 0, 0)
	c.hear(t, 3)
	stop()
	if err := idle.Start(c.peer(nil), 0, 0); !errors.Is(err, ErrStopped) {
		t.Errorf("Start() = %v, want %v", err, ErrStopped)
	}
	for _, s := range []*Stream{idle, busy, held} {
		<-s.Done()
		if st := s.Close(); st.Complete || (st.Spoken > 0) != (s == busy) {
			t.Errorf("Close() = %+v, want that it is not complete and how much was spoken", st)
		}
	}
	if _, err := w.Open(); !errors.Is(err, ErrStopped) {
		t.Errorf("Open() = %v, want %v", err, ErrStopped)
	}
	if n := w.streams(); n != 0 {
		t.Errorf("streams() = %d, want 0", n)
	}
}

// TestCloseRaces has everything done at once to streams that are being closed.
func TestCloseRaces(t *testing.T) {
	t.Parallel()
	w, stop := stoppable(t, Options{Shards: 2})
	c := listening(t, loopback)
	var all sync.WaitGroup
	for i := range 51 {
		s, err := w.Open()
		if err != nil {
			t.Fatalf("Open() = %v, want nil", err)
		}
		p := c.peer(sound(8000, 0))
		for _, f := range []func(){
			func() { _ = s.Start(p, 0, 0) },
			func() { s.Hold(); s.Resume() },
			func() { _ = s.Redirect(p) },
			func() { s.Stats() },
			func() { s.Listen(func(uint8, []byte) {}) },
			func() { s.Close() },
			func() { <-s.Done(); s.Close() },
		} {
			all.Go(f)
		}
		if i == 50 { // perhaps not all are closed yet
			all.Go(stop)
		}
	}
	all.Wait()
	if n := w.streams(); n != 0 {
		t.Errorf("streams() = %d, want 0", n)
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	good := Peer{RTP: netip.MustParseAddrPort("127.0.0.1:4000")}
	for name, spoil := range map[string]func(*Peer){
		"no address":        func(p *Peer) { p.RTP = netip.AddrPort{} },
		"no port":           func(p *Peer) { p.RTP = netip.AddrPortFrom(loopback, 0) },
		"any address":       func(p *Peer) { p.RTP = netip.MustParseAddrPort("0.0.0.0:4000") },
		"IPv6":              func(p *Peer) { p.RTP = netip.MustParseAddrPort("[::1]:4000") },
		"reports over IPv6": func(p *Peer) { p.RTCP = netip.MustParseAddrPort("[::1]:4000") },
		"another codec":     func(p *Peer) { p.Payload = 18 },
		"too short packets": func(p *Peer) { p.Packet = 5 * time.Millisecond },
		"too long packets":  func(p *Peer) { p.Packet = 61 * time.Millisecond },
		"odd packets":       func(p *Peer) { p.Packet = 20500 * time.Microsecond },
		"a short key":       func(p *Peer) { p.Keys = &Keys{Local: make([]byte, 30), Remote: make([]byte, 29)} },
		"no key":            func(p *Peer) { p.Keys = &Keys{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := open(t, w), good
			spoil(&p)
			if err := s.Start(p, 0, 0); err == nil {
				t.Errorf("Start(%+v) = nil, want an error", p)
			}
			start(t, s, good, 0, 0) // a refusal is not a start
			if err := s.Start(good, 0, 0); err == nil {
				t.Errorf("Start() = nil the second time, want an error")
			}
			if err := s.Redirect(p); err == nil {
				t.Errorf("Redirect(%+v) = nil, want an error", p)
			}
		})
	}
}

// TestIPv6 speaks over IPv6, and over IPv4 from a socket that does both.
func TestIPv6(t *testing.T) {
	t.Parallel()
	both := turning(t, Options{Address: netip.IPv6Unspecified()})
	six := turning(t, Options{Address: netip.IPv6Loopback()})
	for _, tt := range []struct {
		w  *Wheel
		at netip.Addr
	}{{both, loopback}, {both, netip.IPv6Loopback()}, {six, netip.IPv6Loopback()}} {
		c, s := listening(t, tt.at), open(t, tt.w)
		said := make(chan struct{})
		s.Listen(func(uint8, []byte) { close(said) })
		start(t, s, c.peer(sound(800, 0)), 0, 0)
		if got := payloads(c.hear(t, 5)); len(got) != 800 {
			t.Errorf("%d samples arrived at %v, want 800", len(got), tt.at)
		}
		say(t, c.rtp, netip.AddrPortFrom(tt.at, uint16(s.Port())), words(t, 1, 1, PCMU, []byte("hello")))
		<-said
		if st := s.Close(); st.Received != 1 {
			t.Errorf("Close() = %+v, want one packet received from %v", st, tt.at)
		}
	}
}
