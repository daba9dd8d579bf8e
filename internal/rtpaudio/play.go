package rtpaudio

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

const (
	sampleRate     = 8000 // of G.711; a sample is a byte (RFC 3551 section 4.5.14)
	samplesPerTick = sampleRate / int(time.Second/tick)

	headerSize = 12 // of RTP without sources and extension (RFC 3550 section 5.1)
	// maxPacket is the longest packet that is sent: 60 ms of sound, and what SRTP adds.
	maxPacket = headerSize + 60*samplesPerTick + 32
)

// The quietest codes of G.711.
const (
	silencePCMU = 0xff
	silencePCMA = 0xd5
)

// samples is how many samples last d.
func samples(d time.Duration) int { return int(max(d, 0) * sampleRate / time.Second) }

// player is what is being sent.
type player struct {
	peer          Peer
	to            address // where packets go
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
func (s *Stream) begin(p Peer, before, after int, held bool, _ func(uint8, []byte)) {
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
	s.before, s.after, s.held, s.begun = before, after, held, true
	s.expect = -1
	s.aim(p)
	s.shard.seat(s)
}

// redirect is Redirect, in the thread.
func (s *Stream) redirect(p Peer) {
	if !s.over && s.begun {
		s.aim(p)
	}
}

// aim makes p the peer.
func (s *Stream) aim(p Peer) {
	s.peer = p
	s.to = s.rtp.address(p.RTP)
}

// takeTurn does what is due at a tick, and returns in how many ticks the next turn is.
func (s *Stream) takeTurn(turn int64) int64 {
	if !s.held && !s.finished {
		s.play(turn)
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
	if err := s.emit(b); err != nil {
		s.counts.sendErrors.Add(1)
		sh.tally.failed++
		return
	}
	s.counts.sent.Add(1)
	sh.tally.sent++
	sh.tally.sentBytes += uint64(len(b))
}

// emit hands a packet to the system.
func (s *Stream) emit(b []byte) error {
	return s.rtp.send(b, &s.to)
}

// fill writes what is to be heard from the present position on.
func (s *Stream) fill(b []byte) {
	quiet := byte(silencePCMU)
	if s.peer.Payload == PCMA {
		quiet = silencePCMA
	}
	from := s.at - s.before // in the sound
	if from < 0 {
		n := min(-from, len(b))
		fill(b[:n], quiet)
		b, from = b[n:], 0
	}
	if from < len(s.peer.Sound) {
		b = b[copy(b, s.peer.Sound[from:]):]
	}
	fill(b, quiet)
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// complete closes Done, once.
func (s *Stream) complete() {
	if !s.told {
		s.told = true
		close(s.done)
	}
}
