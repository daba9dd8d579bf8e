package rtpaudio

import (
	"log/slog"
	"net/netip"
	"runtime/debug"
	"time"
)

const (
	// latchTicks is how long, in ticks, sound may come from another address than the peer
	// has named, and be followed there.
	latchTicks = int64(5 * time.Second / tick)
	// hearTicks is how often, in ticks, is read what was heard when nobody listens. A
	// goroutine per call would be woken 50 times a second instead.
	hearTicks = int64(200 * time.Millisecond / tick)
	// maxBatches bounds what is read from a socket at a time: it holds no more unless
	// somebody floods it.
	maxBatches = 4
	// payloadComfort is comfort noise (RFC 3389).
	payloadComfort = 13
)

// ear is what is being heard.
type ear struct {
	listener func(payload uint8, data []byte)
	heard    reception
	keys     digits
	gap      gap

	source netip.AddrPort // where sound comes from; zero = not known yet
	since  int64          // tick at which the present address was named
	hearAt int64          // tick at which is read next
	deaf   bool           // hearing failed badly
}

// hear reads what has arrived.
func (s *Stream) hear(turn int64) {
	defer s.recovered()
	s.hearAt = turn + 1 // at the next turn
	if s.source.IsValid() && s.listener == nil {
		s.hearAt = turn + hearTicks
	}
	if s.deaf {
		return
	}
	for range maxBatches {
		got := s.rtp.receive(s.shard.inbox)
		for i := range got {
			s.take(&got[i])
		}
		if len(got) < batch {
			break
		}
	}
	if !s.source.IsValid() && turn > s.since+latchTicks {
		s.follow(s.peer.RTP) // nobody else has come
	}
	s.counts.lost.Store(s.heard.missing())
	s.counts.jitter.Store(int64(s.heard.jitter >> 4))
}

// recovered keeps a panic, which would end all calls, to the hearing of this one: what is
// heard goes through a library and to whoever listens.
func (s *Stream) recovered() {
	if p := recover(); p != nil {
		s.deaf = true
		s.shard.wheel.log.Error("rtp: a call hears nothing more", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	}
}

// take takes a datagram that came to the RTP port.
func (s *Stream) take(a *arrival) {
	p, ok := s.open(a)
	if !ok {
		s.counts.dropped.Add(1)
		s.shard.tally.dropped++
		return
	}
	if !s.source.IsValid() {
		s.follow(a.from)
	}
	fresh, ok := s.heard.take(p.ssrc, p.seq)
	if !ok {
		s.counts.dropped.Add(1)
		s.shard.tally.dropped++
		return
	}
	s.counts.received.Add(1)
	s.shard.tally.received++
	s.shard.tally.receivedBytes += uint64(len(a.data))
	switch p.payload {
	case PCMU, PCMA:
		s.heard.clocked(a.at, p.timestamp)
		if fresh && s.listener != nil {
			s.gap.before(&p, s.listener)
			s.listener(p.payload, p.data)
		}
	case payloadComfort:
	default: // an event
		if s.keys.hear(p.timestamp, p.data) {
			s.counts.digits.Store(new(string(s.keys.pressed)))
		}
	}
}

// open reads an RTP packet, if it is one and may come from where it comes from.
func (s *Stream) open(a *arrival) (p packet, ok bool) {
	if !s.welcome(a.from) {
		return packet{}, false
	}
	plain, err := s.crypt.unprotect(a.data)
	if err != nil {
		return packet{}, false
	}
	p, ok = parse(plain)
	return p, ok && s.understood(p.payload)
}

// understood tells payload types that are expected from all others (RFC 3550 section 5.1
// has these ignored).
func (s *Stream) understood(payload uint8) bool {
	switch payload {
	case PCMU, PCMA, payloadComfort:
		return true
	}
	return payload == s.peer.Events && payload != 0
}

// welcome tells where sound may come from: once it has come, only from there.
func (s *Stream) welcome(from netip.AddrPort) bool {
	if s.source.IsValid() {
		return from == s.source
	}
	return from.Addr() == s.peer.RTP.Addr() || (s.peer.Follow != nil && s.peer.Follow(from.Addr()))
}

// follow makes an address the only one that is talked to.
func (s *Stream) follow(to netip.AddrPort) {
	s.source = to
	s.to = s.rtp.address(to)
	s.connected = s.rtp.connect(&s.to) == nil
	if implied := nextPort(s.peer.RTP); to != s.peer.RTP && (s.peer.RTCP == implied || s.peer.RTCP.Addr() != to.Addr()) {
		s.reportTo(nextPort(to))
	}
	s.counts.remote.Store(&to)
}

// maxGap is the longest silence that is filled in for the listener, in samples. A larger
// jump of the timestamps is a new beginning.
const maxGap = 10 * sampleRate

// gap keeps what is listened to as long as it was spoken: where packets are missing, the
// listener gets silence.
type gap struct {
	begun bool
	ssrc  uint32
	next  uint32 // timestamp that should come
}

// before has the listener hear what is missing before p.
func (g *gap) before(p *packet, listener func(uint8, []byte)) {
	missing := p.timestamp - g.next
	if g.begun && g.ssrc == p.ssrc && missing <= maxGap {
		quiet := &quietPCMU
		if p.payload == PCMA {
			quiet = &quietPCMA
		}
		for missing > 0 {
			n := min(missing, uint32(len(quiet)))
			listener(p.payload, quiet[:n])
			missing -= n
		}
	}
	*g = gap{begun: true, ssrc: p.ssrc, next: p.timestamp + uint32(len(p.data))}
}
