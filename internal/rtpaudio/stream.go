package rtpaudio

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Payload types of sound that can be sent (RFC 3551 table 4).
const (
	PCMU = 0
	PCMA = 8
)

// Packet times that are allowed. 20 ms is the default of RFC 3551 section 4.2.
const (
	minPacketTime     = 10 * time.Millisecond
	defaultPacketTime = 20 * time.Millisecond
	maxPacketTime     = 60 * time.Millisecond
)

// Keys are the keys of SRTP in the suite AES_CM_128_HMAC_SHA1_80 (RFC 4568 section 6.2): 16 bytes of
// key and 14 of salt each.
type Keys struct {
	Local  []byte // what is sent
	Remote []byte // what is heard
}

// Peer is whom a Stream talks to, and what it says.
type Peer struct {
	RTP     netip.AddrPort // where sound goes
	RTCP    netip.AddrPort // where reports go; zero = the port after RTP's
	Payload uint8          // PCMU or PCMA
	Sound   []byte         // G.711 of that law; shared by calls, never changed
	Events  uint8          // payload type of key presses, telephone-event; 0 = none
	Keys    *Keys          // nil = plain RTP
	// Follow tells which addresses sound may come from besides RTP's own. The first that
	// sends valid RTP within 5 s is where sound goes from then on: a peer behind address
	// translation does not know its own address. nil = none.
	Follow func(netip.Addr) bool
	Packet time.Duration // how much sound is in a packet, whole ms from 10 to 60 ms; 0 = 20 ms
}

// Stream is the sound of one call, both ways. All methods are safe for concurrent use.
type Stream struct {
	shard  *shard
	port   int
	done   chan struct{} // closed when all was sent, or the stream ended
	gone   chan struct{} // closed when the thread has let go of it
	counts counts

	mu      sync.Mutex
	started bool
	closed  bool
	holding bool
	listen  func(payload uint8, data []byte)

	// Below: used by the shard's thread, or in its place.
	player
	ear
	reporter
	rtp, rtcp *socket
	over      bool // finished
}

func newStream(sh *shard, rtp, rtcp *socket) *Stream {
	return &Stream{
		shard: sh, port: int(rtp.port()), rtp: rtp, rtcp: rtcp,
		done: make(chan struct{}), gone: make(chan struct{}),
	}
}

// Port is the port of the stream's RTP: even. RTCP is on the next one.
func (s *Stream) Port() int { return s.port }

// Listen has f called with the payload of every packet that is heard. It must be called
// before Start. f is called by the wheel, so it must return at once and must not call
// Close; data is only valid until it returns.
func (s *Stream) Listen(f func(payload uint8, data []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listen = f
}

// Start begins to send: silence for as long as before says, the peer's Sound, and silence
// for as long as after says. Then Done closes; hearing goes on until Close. Nothing is sent
// before the wheel runs. Start fails if p makes no sense, the second time, and with
// ErrClosed and ErrStopped.
func (s *Stream) Start(p Peer, before, after time.Duration) error {
	c, err := s.check(&p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.started {
		return errors.New("rtp: the stream was started already")
	}
	holding, listen := s.holding, s.listen
	err = s.shard.post(func() { s.begin(p, c, samples(before), samples(after), holding, listen) })
	s.started = err == nil
	return err
}

// Hold stops sending until Resume. The position in the message is kept. Reports go on.
func (s *Stream) Hold() { s.hold(true) }

// Resume goes on where Hold stopped.
func (s *Stream) Resume() { s.hold(false) }

func (s *Stream) hold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = on
	if s.started {
		_ = s.shard.post(func() { s.held = on }) // a wheel that has stopped sends nothing anyway
	}
}

// Redirect changes the peer during the call: another address, codec, packet time or keys.
// The position in the message is kept: it is counted in samples, so the new Sound must be
// the same message. Where the address stays, so does what was found out about it. It
// fails as Start does, and before Start.
func (s *Stream) Redirect(p Peer) error {
	c, err := s.check(&p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if !s.started {
		return errors.New("rtp: a stream that was not started cannot be redirected")
	}
	return s.shard.post(func() { s.redirect(p, c) })
}

// Done is closed when the last packet was sent, or when the stream ended before that: by
// Close, or because the wheel stopped. Stats tells which.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Stats is how the stream does at present, also after Close.
func (s *Stream) Stats() Stats { return s.counts.stats() }

// Close ends the stream and gives its ports back. It waits, some milliseconds, until
// nothing more is sent, and returns what became of it. It may be called at any time, and
// again.
func (s *Stream) Close() Stats {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.shard.dismiss(s)
	return s.Stats()
}

// check validates p, fills in its defaults, and makes its SRTP.
func (s *Stream) check(p *Peer) (*crypt, error) {
	p.RTP = plain(p.RTP)
	if !p.RTP.IsValid() || p.RTP.Port() == 0 || p.RTP.Addr().IsUnspecified() {
		return nil, fmt.Errorf("rtp: %v is no address to send to", p.RTP)
	}
	if p.RTCP = plain(p.RTCP); !p.RTCP.IsValid() {
		p.RTCP = nextPort(p.RTP)
	}
	for _, a := range []netip.AddrPort{p.RTP, p.RTCP} {
		if err := s.shard.wheel.family(a.Addr()); err != nil {
			return nil, err
		}
	}
	if p.Payload != PCMU && p.Payload != PCMA {
		return nil, fmt.Errorf("rtp: payload type %d is neither PCMU (%d) nor PCMA (%d)", p.Payload, PCMU, PCMA)
	}
	if p.Packet == 0 {
		p.Packet = defaultPacketTime
	}
	if p.Packet < minPacketTime || p.Packet > maxPacketTime || p.Packet%time.Millisecond != 0 {
		return nil, fmt.Errorf("rtp: a packet time of %v is not whole milliseconds from %v to %v", p.Packet, minPacketTime, maxPacketTime)
	}
	return newCrypt(p.Keys)
}

// plain is a the way that senders of datagrams are shown: IPv4 as such, and no zone.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// nextPort is where RTCP goes that belongs to RTP (RFC 3550 section 11).
func nextPort(rtp netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(rtp.Addr(), rtp.Port()+1)
}

// finish ends the stream: its sockets are closed, nothing more is sent or heard.
func (s *Stream) finish() {
	if s.over {
		return
	}
	s.over = true
	if s.begun {
		s.depart()
	}
	s.unplug()
	s.complete()
	close(s.gone)
}

// depart hears what came last, and says goodbye.
func (s *Stream) depart() {
	s.hear(s.shard.turn)
	s.readReports()
	if s.reported || s.packets > 0 { // RFC 3550 section 6.3.7: else the peer has never heard of us
		s.report(true)
	}
	s.shard.wheel.metrics.ended(&s.counts)
}

// unplug closes the sockets and gives the ports back.
func (s *Stream) unplug() {
	s.rtp.close()
	s.rtcp.close()
	s.shard.wheel.ports.give(uint16(s.port))
}
