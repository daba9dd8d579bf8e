package rtpaudio

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
)

// ears collects what a Stream hears.
type ears struct {
	payload []uint8
	data    bytes.Buffer
	heard   chan struct{} // gets something for every call
}

func listener(s *Stream) *ears {
	e := &ears{heard: make(chan struct{}, 10_000)}
	s.Listen(func(payload uint8, data []byte) {
		e.payload = append(e.payload, payload)
		e.data.Write(data)
		e.heard <- struct{}{}
	})
	return e
}

func TestListen(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	e := listener(s)
	start(t, s, c.peer(nil), time.Minute, 0)
	message := sound(160*5, 0)
	for _, i := range []int{0, 1, 1, 3, 2, 4} { // one twice, two in the wrong order
		say(t, c.rtp, there(s, 0), words(t, uint16(65534+i), uint32(160*i), PCMU, message[160*i:160*i+160]))
	}
	for range 5 {
		<-e.heard
	}
	st := s.Close()
	want := bytes.Clone(message)
	copy(want[320:480], bytes.Repeat([]byte{0xff}, 160)) // it came after the next one
	if !bytes.Equal(e.data.Bytes(), want) {
		t.Errorf("%d samples were heard that differ from the %d expected", e.data.Len(), len(want))
	}
	if st.Received != 6 || st.Lost != 0 || st.Dropped != 0 {
		t.Errorf("Close() = %+v, want 6 packets received, none lost or dropped", st)
	}
}

// TestListenToGaps hears a peer that loses packets, pauses, and starts anew.
func TestListenToGaps(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	e := listener(s)
	start(t, s, c.peer(nil), time.Minute, 0)
	packet := bytes.Repeat([]byte{1}, 80)
	for _, p := range []struct {
		seq       uint16
		timestamp uint32
		payload   uint8
	}{
		{10, 1000, PCMA},
		{11, 1080, PCMA},
		{13, 1240, PCMA},        // one is missing
		{14, 1240 + 8000, PCMA}, // nearly a second of silence
		{15, 1 << 30, PCMA},     // another clock
		{16, 1<<30 + 80, 13},    // comfort noise
		{17, 1<<30 + 160, PCMA},
		{18, 99, 77}, // unknown
	} {
		say(t, c.rtp, there(s, 0), words(t, p.seq, p.timestamp, p.payload, packet))
	}
	want := 80 + 80 + 80 + 80 + (8000 - 80) + 80 + 80 + 80 + 80
	for range 6 {
		<-e.heard
	}
	st := s.Close()
	if n := e.data.Len(); n != want || bytes.Count(e.data.Bytes(), []byte{1}) != 6*80 || bytes.Count(e.data.Bytes(), []byte{0xd5}) != want-6*80 {
		t.Errorf("%d samples were heard, want %d, all but %d of them silence", n, want, 6*80)
	}
	if st.Lost != 1 || st.Received != 7 || st.Dropped != 1 {
		t.Errorf("Close() = %+v, want one packet lost, 7 received, one dropped", st)
	}
}

// TestListenPanics has a listener that breaks: that call hears nothing more, and speaks on.
func TestListenPanics(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	heard := make(chan struct{})
	s.Listen(func(uint8, []byte) { close(heard) })
	start(t, s, c.peer(sound(3200, 0)), 0, 0)
	for i := range uint16(2) {
		say(t, c.rtp, there(s, 0), words(t, i, 0, PCMU, []byte("sound")))
	}
	<-heard
	<-s.Done()
	if st := s.Close(); !st.Complete {
		t.Errorf("Close() = %+v, want all sent", st)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	elsewhere := netip.MustParseAddr("127.0.0.2")
	w := turning(t, Options{Address: netip.IPv4Unspecified()})
	for name, tt := range map[string]struct {
		follow  func(netip.Addr) bool
		from    netip.Addr
		late    bool // after the time to follow
		what    []byte
		follows bool
	}{
		"another port":            {nil, loopback, false, words(t, 1, 1, PCMU, nil), true},
		"another address":         {nil, elsewhere, false, words(t, 1, 1, PCMU, nil), false},
		"another allowed address": {func(a netip.Addr) bool { return a == elsewhere }, elsewhere, false, words(t, 1, 1, PCMU, nil), true},
		"refused address":         {func(netip.Addr) bool { return false }, elsewhere, false, words(t, 1, 1, PCMU, nil), false},
		"own address, others too": {func(netip.Addr) bool { return false }, loopback, false, words(t, 1, 1, PCMU, nil), true},
		"no RTP":                  {nil, loopback, false, []byte("who are you, and what do you want"), false},
		"an unknown payload":      {nil, loopback, false, words(t, 1, 1, 99, nil), false},
		"too long":                {nil, loopback, false, words(t, 1, 1, PCMU, make([]byte, maxDatagram)), false},
		"too late":                {nil, loopback, true, words(t, 1, 1, PCMU, nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			named, other, s := listening(t, loopback), listening(t, tt.from), open(t, w)
			p := named.peer(sound(8000*60, 0))
			p.Follow = tt.follow
			start(t, s, p, 0, 0)
			named.hear(t, 1)
			if tt.late {
				do(t, s, func() { s.since -= latchTicks })
				pass(t, s, 60)
			}
			say(t, other.rtp, netip.AddrPortFrom(tt.from, uint16(s.Port())), tt.what)
			want := named
			if tt.follows {
				want = other
				other.hear(t, 1)
			} else {
				pass(t, s, 60)
				nothing(t, other.rtp)
			}
			if got := s.Stats().Remote; got != here(want.rtp) {
				t.Errorf("Stats().Remote = %v, want %v", got, here(want.rtp))
			}
			// Whatever comes now from a third place, nobody follows it there.
			third := listening(t, loopback)
			if tt.follows || tt.late {
				say(t, third.rtp, there(s, 0), words(t, 1, 1, PCMU, nil))
				pass(t, s, 60)
				nothing(t, third.rtp)
			}
			st := s.Close()
			if received := st.Received > 0; received != tt.follows {
				t.Errorf("Close() = %+v, want something received: %v", st, tt.follows)
			}
		})
	}
}

// TestFollowAfterRedirect is followed anew when the peer gets a new address, and not asked
// again when only its codec changes.
func TestFollowAfterRedirect(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	named, behind, next, s := listening(t, loopback), listening(t, loopback), listening(t, loopback), open(t, w)
	p := named.peer(sound(8000*60, 0))
	start(t, s, p, 0, 0)
	say(t, behind.rtp, there(s, 0), words(t, 1, 1, PCMU, nil))
	behind.hear(t, 2)
	p.Payload = PCMA
	redirect(t, s, p)
	for behind.hear(t, 1)[0].PayloadType != PCMA {
		continue
	}
	if got := s.Stats().Remote; got != here(behind.rtp) {
		t.Errorf("Stats().Remote = %v after a change of codec, want %v still", got, here(behind.rtp))
	}
	redirect(t, s, next.peer(p.Sound))
	next.hear(t, 1)
	other := listening(t, loopback)
	say(t, other.rtp, there(s, 0), words(t, 1, 1, PCMU, nil))
	other.hear(t, 1)
}

func redirect(t testing.TB, s *Stream, p Peer) {
	t.Helper()
	if err := s.Redirect(p); err != nil {
		t.Fatalf("Redirect(%v) = %v, want nil", p.RTP, err)
	}
}

// TestNobodyListens sends to a closed port, as calls do whose peer opens it late.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	at := c.rtp.LocalAddr().(*net.UDPAddr)
	start(t, s, c.peer(sound(8000*60, 0)), 0, 0)
	do(t, s, func() { s.follow(s.peer.RTP) })
	c.hear(t, 1)
	c.rtp.Close()
	pass(t, s, 100)
	if st := s.Stats(); st.SendErrors > 0 || (st.Refused == 0 && connects) {
		t.Errorf("Stats() = %+v, want refusals and no errors", st)
	}
	again, err := net.ListenUDP("udp", at)
	if err != nil {
		t.Fatalf("ListenUDP(%v) = %v, want nil", at, err)
	}
	defer again.Close()
	c.rtp = again
	got := c.hear(t, 3)
	inOrder(t, append([]*rtp.Packet{{Header: rtp.Header{Marker: true, SequenceNumber: got[0].SequenceNumber - 1, Timestamp: got[0].Timestamp}}}, got...))
}

func TestGarbage(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	start(t, s, c.peer(nil), time.Minute, 0)
	garbage := [][]byte{
		{},
		{0x80},
		[]byte("hello"), bytes.Repeat([]byte{0}, 500), bytes.Repeat([]byte{0xff}, 1500),
		{0xa0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0},   // no padding
		{0xa0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 200}, // too much of it
		{0x8f, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0},   // sources that are not there
		{0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},      // no extension
		{0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9},
	}
	for _, b := range garbage {
		say(t, c.rtp, there(s, 0), b)
		say(t, c.rtcp, there(s, 1), b)
	}
	pass(t, s, 40)
	st := s.Close()
	if want := (Stats{Sent: st.Sent, Dropped: uint64(2 * len(garbage)), Remote: here(c.rtp)}); !cmp.Equal(st, want, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })) {
		t.Errorf("Close() = %+v, want %+v", st, want)
	}
}
