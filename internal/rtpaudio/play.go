package rtpaudio

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	sampleRate     = 8000 // of G.711; a sample is a byte (RFC 3551 section 4.5.14)
	samplesPerTick = sampleRate / int(time.Second/tick)

	headerSize = 12 // of RTP without sources and extension (RFC 3550 section 5.1)
	// maxPacket is the longest packet that is sent: 60 ms of sound, and what SRTP adds.
	maxPacket = headerSize + 60*samplesPerTick + 32
)

// A stretch of the quietest code of each law: as much as the longest packet holds.
var (
	quietPCMU = quiet(0xff)
	quietPCMA = quiet(0xd5)
)

func quiet(code byte) (b [60 * samplesPerTick]byte) {
	for i := range b {
		b[i] = code
	}
	return b
}

// samples is how many samples last d.
func samples(d time.Duration) int { return int(max(d, 0) * sampleRate / time.Second) }

// player is what is being sent.
type player struct {
	peer          Peer
	crypt         *crypt  // SRTP; nil = plain RTP
	to            address // where packets go
	connected     bool    // the socket knows it too
	before, after int     // silence around the sound, in samples
	at            int     // samples sent, from the beginning of the silence before
	begun         bool    // Start was carried out
	held          bool
	finished      bool // all was sent, the silence after the sound too
	told          bool // done is closed

	ssrc   uint32
	seq    uint16 // of the next packet
	offset uint32 // timestamp when RTP's clock is 0
	expect int64  // RTP's clock when the next packet is due, if nothing comes between
}

// begin is Start, in the thread.
func (s *Stream) begin(p Peer, c *crypt, before, after int, held bool, listener func(uint8, []byte)) {
	if s.over {
		return
	}
	var r [10]byte
	_, _ = rand.Read(r[:]) // it never fails
	s.ssrc = binary.BigEndian.Uint32(r[0:])
	s.offset = binary.BigEndian.Uint32(r[4:])
	// In the lower half, so that in a call of usual length it does not wrap, and the
	// rollover counter of SRTP cannot be guessed wrongly (RFC 3711 section 3.3.1).
	s.seq = binary.BigEndian.Uint16(r[8:]) >> 1
	s.before, s.after, s.held, s.listener = before, after, held, listener
	s.expect = -1
	s.aim(p, c)
	s.begun = true
	s.startReports(s.shard.turn)
	s.shard.seat(s)
}

// redirect is Redirect, in the thread.
func (s *Stream) redirect(p Peer, c *crypt) {
	if !s.over && s.begun {
		s.aim(p, c)
	}
}

// aim makes p the peer.
func (s *Stream) aim(p Peer, c *crypt) {
	old := s.peer
	c.inherit(s.crypt)
	s.peer, s.crypt = p, c
	if s.begun && p.RTP == old.RTP && p.RTCP == old.RTCP {
		return
	}
	if s.connected { // else nobody new would be heard
		_ = s.rtp.disconnect()
	}
	s.connected, s.to = false, s.rtp.address(p.RTP)
	s.source, s.since, s.hearAt = netip.AddrPort{}, s.shard.turn, 0
	s.reportTo(p.RTCP)
	s.counts.remote.Store(&p.RTP)
}

// takeTurn does what is due at a tick, and returns in how many ticks the next turn is.
func (s *Stream) takeTurn(turn int64) int64 {
	if !s.held && !s.finished {
		s.play(turn)
	}
	if turn >= s.hearAt {
		s.hear(turn)
	}
	if turn >= s.readAt || turn >= s.reportAt {
		s.exchange(turn)
	}
	return int64(s.peer.Packet / tick)
}

// play sends the next packet.
func (s *Stream) play(turn int64) {
	n := int(s.peer.Packet/tick) * samplesPerTick
	end := s.before + len(s.peer.Sound) + s.after
	if s.at < end {
		s.transmit(turn, n)
		s.at += n
		s.counts.spoken.Store(int64(min(max(s.at-s.before, 0), len(s.peer.Sound))))
	}
	if s.at >= end {
		s.finished = true
		s.counts.complete.Store(true)
		s.complete()
	}
}

// transmit sends n samples from the present position.
func (s *Stream) transmit(turn int64, n int) {
	sh := s.shard
	now := sh.sampled(turn)
	b := sh.packet[:headerSize+n]
	b[0] = 2 << 6 // version; no padding, no extension, no other sources
	b[1] = s.peer.Payload
	if now != s.expect {
		b[1] |= 0x80 // the first packet, or the first after a pause (RFC 3551 section 4.1)
	}
	binary.BigEndian.PutUint16(b[2:], s.seq)
	binary.BigEndian.PutUint32(b[4:], s.offset+uint32(now))
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	s.fill(b[headerSize:])
	s.seq++
	s.expect = now + int64(n)
	size, err := s.emit(b)
	if err != nil {
		s.counts.sendErrors.Add(1)
		sh.tally.failed++
		return
	}
	s.packets++
	s.octets += uint32(n)
	s.counts.sent.Add(1)
	sh.tally.sent++
	sh.tally.sentBytes += uint64(size)
}

// emit hands a packet to the system, and returns its size.
func (s *Stream) emit(b []byte) (int, error) {
	b, err := s.crypt.protect(b)
	if err != nil {
		return 0, err
	}
	to := &s.to
	if s.connected {
		to = nil
	}
	err = s.rtp.send(b, to)
	if err == errRefused { //nolint:errorlint // an errno as it is; this runs for every packet
		// It is told of an earlier packet, in place of sending this one. The peer may not
		// have opened its port yet, and who listens nowhere hangs up by signalling.
		s.counts.refused.Add(1)
		err = s.rtp.send(b, to)
	}
	return len(b), err
}

// fill writes what is to be heard from the present position on.
func (s *Stream) fill(b []byte) {
	quiet := &quietPCMU
	if s.peer.Payload == PCMA {
		quiet = &quietPCMA
	}
	from := s.at - s.before // in the sound
	if from < 0 {
		n := copy(b[:min(-from, len(b))], quiet[:])
		b, from = b[n:], 0
	}
	if from < len(s.peer.Sound) {
		b = b[copy(b, s.peer.Sound[from:]):]
	}
	copy(b, quiet[:])
}

// complete closes Done, once.
func (s *Stream) complete() {
	if !s.told {
		s.told = true
		close(s.done)
	}
}
