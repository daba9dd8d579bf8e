package rtpaudio

import (
	"context"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(receiverEnv) != "" {
		receiveForBenchmarks()
		return
	}
	goleak.VerifyTestMain(m)
}

// receiverEnv makes the test binary the receiver of benchmarks.
const receiverEnv = "RTPAUDIO_BENCHMARK_RECEIVER"

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// turning is a Wheel that runs until the test ends.
func turning(t testing.TB, o Options) *Wheel {
	t.Helper()
	w, stop := stoppable(t, o)
	t.Cleanup(stop)
	return w
}

// stoppable is a Wheel that runs until stop is called.
func stoppable(t testing.TB, o Options) (w *Wheel, stop func()) {
	t.Helper()
	if !o.Address.IsValid() {
		o.Address = loopback
	}
	w, err := New(o)
	if err != nil {
		t.Fatalf("New(%+v) = %v, want nil", o, err)
	}
	return w, running(t, w)
}

// running runs w until stop is called.
func running(t testing.TB, w *Wheel) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	}
}

// open is a Stream that is closed when the test ends.
func open(t testing.TB, w *Wheel) *Stream {
	t.Helper()
	s, err := w.Open()
	if err != nil {
		t.Fatalf("Open() = %v, want nil", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start starts s, which must succeed.
func start(t testing.TB, s *Stream, p Peer, before, after time.Duration) {
	t.Helper()
	if err := s.Start(p, before, after); err != nil {
		t.Fatalf("Start(%v) = %v, want nil", p.RTP, err)
	}
}

// do runs f on the thread of s and waits for it.
func do(t testing.TB, s *Stream, f func()) {
	t.Helper()
	done := make(chan struct{})
	if err := s.shard.post(func() { f(); close(done) }); err != nil {
		t.Fatalf("post() = %v, want nil", err)
	}
	<-done
}

// pass waits until the wheel of s, which must be sending something, has served so many ticks.
func pass(t testing.TB, s *Stream, ticks int64) {
	t.Helper()
	var began, now int64
	do(t, s, func() { began = s.shard.turn })
	for now < began+ticks {
		do(t, s, func() { now = s.shard.turn })
	}
}

// callee is the peer: two sockets of the standard library.
type callee struct {
	rtp, rtcp *net.UDPConn
}

// listening is a callee at an address of this machine.
func listening(t testing.TB, at netip.Addr) *callee {
	t.Helper()
	c := &callee{}
	for _, conn := range []**net.UDPConn{&c.rtp, &c.rtcp} {
		var err error
		*conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
		if err != nil {
			t.Fatalf("ListenUDP(%v) = %v, want nil", at, err)
		}
		t.Cleanup(func() { (*conn).Close() })
	}
	return c
}

// peer is the callee as a Stream sees it, which is to say sound to it.
func (c *callee) peer(sound []byte) Peer {
	return Peer{RTP: here(c.rtp), RTCP: here(c.rtcp), Sound: sound}
}

func here(c *net.UDPConn) netip.AddrPort {
	a := c.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// there is a port of this machine, as seen from a callee.
func there(s *Stream, offset int) netip.AddrPort {
	return netip.AddrPortFrom(s.shard.wheel.address, uint16(s.Port()+offset))
}

// receive reads a datagram, which must come.
func receive(t testing.TB, c *net.UDPConn) []byte {
	t.Helper()
	b := make([]byte, 2000)
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatalf("SetReadDeadline() = %v, want nil", err)
	}
	n, err := c.Read(b)
	if err != nil {
		t.Fatalf("Read() = %v, want a datagram", err)
	}
	return b[:n]
}

// nothing fails the test if a datagram is waiting.
func nothing(t testing.TB, c *net.UDPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatalf("SyscallConn() = %v, want nil", err)
	}
	if n := unread(raw); n >= 0 {
		t.Errorf("a datagram of %d bytes came, want none", n)
	}
}

// hear reads n RTP packets, with a parser that is not ours.
func (c *callee) hear(t testing.TB, n int) []*rtp.Packet {
	t.Helper()
	var all []*rtp.Packet
	for range n {
		p := &rtp.Packet{}
		if err := p.Unmarshal(receive(t, c.rtp)); err != nil {
			t.Fatalf("Unmarshal() = %v, want nil", err)
		}
		all = append(all, p)
	}
	return all
}

// say sends a datagram.
func say(t testing.TB, from *net.UDPConn, to netip.AddrPort, b []byte) {
	t.Helper()
	if _, err := from.WriteToUDPAddrPort(b, to); err != nil {
		t.Fatalf("WriteToUDPAddrPort(%v) = %v, want nil", to, err)
	}
}

// sound is a message in which every byte tells where it stands.
func sound(n int, law byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ law
	}
	return b
}

// payloads is what packets say, one after the other.
func payloads(packets []*rtp.Packet) (b []byte) {
	for _, p := range packets {
		b = append(b, p.Payload...)
	}
	return b
}

// words is an RTP packet that a callee sends.
func words(t testing.TB, seq uint16, timestamp uint32, payload uint8, data []byte) []byte {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: payload, SequenceNumber: seq, Timestamp: timestamp, SSRC: 0xca11ee}, Payload: data}
	b, err := p.Marshal()
	if err != nil {
		t.Fatalf("Marshal() = %v, want nil", err)
	}
	return b
}
