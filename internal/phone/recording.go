package phone

import (
	"encoding/binary"

	"tidings/internal/audio"
	"tidings/internal/sdp"
	"tidings/internal/tts/wav"
)

const (
	rtpHeader = 12 // bytes of an RTP header without extras

	// longestGap is what a gap may last before it is taken for a new beginning. Source:
	// RFC 3550 A.1 gives up on a source after a jump, too; there it counts packets.
	longestGap = 30 * rate

	// longestSound bounds what a recording holds: the longest call, and a little.
	longestSound = 11 * 60 * rate

	maxDigits = 64
)

// recording is what was heard, in its place by timestamps. The zero value has heard nothing.
type recording struct {
	samples []int16
	begun   bool
	ssrc    uint32
	origin  uint32 // timestamp of samples[base]
	base    int
	last    int // offset of the newest packet

	first, highest uint32 // sequence numbers, counted on past 65,535
	packets        uint32 // of this source
	missed         int    // of sources before it

	keys  []byte
	event uint32 // timestamp of the last key
}

// packet is what matters of an RTP packet.
type packet struct {
	payload uint8
	seq     uint16
	at      uint32
	ssrc    uint32
	data    []byte
}

// parse reads an RTP packet (RFC 3550 5.1). It reports false for what is none.
func parse(b []byte) (packet, bool) {
	if len(b) < rtpHeader || b[0]>>6 != 2 {
		return packet{}, false
	}
	p := packet{
		payload: b[1] & 0x7f, seq: binary.BigEndian.Uint16(b[2:]),
		at: binary.BigEndian.Uint32(b[4:]), ssrc: binary.BigEndian.Uint32(b[8:]),
	}
	padded, extended, sources := b[0]&0x20 != 0, b[0]&0x10 != 0, int(b[0]&0x0f)
	b = b[rtpHeader:]
	if len(b) < 4*sources {
		return packet{}, false
	}
	b = b[4*sources:]
	if extended {
		if len(b) < 4 {
			return packet{}, false
		}
		n := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if len(b) < n {
			return packet{}, false
		}
		b = b[n:]
	}
	if padded {
		if len(b) == 0 || int(b[len(b)-1]) > len(b) || b[len(b)-1] == 0 {
			return packet{}, false
		}
		b = b[:len(b)-int(b[len(b)-1])]
	}
	p.data = b
	return p, true
}

// hear takes a packet. Those with the payload type events are key presses; 0 = none are.
func (r *recording) hear(b []byte, events uint8) {
	p, ok := parse(b)
	if !ok {
		return
	}
	r.count(p)
	var sound []int16
	switch {
	case p.payload == sdp.PCMU:
		sound = audio.MuLaw(p.data)
	case p.payload == sdp.PCMA:
		sound = audio.ALaw(p.data)
	case events > 0 && p.payload == events:
		r.press(p)
		return
	default:
		return // comfort noise, or what nobody agreed on
	}
	offset := r.base + int(int32(p.at-r.origin))
	switch gap := offset - r.last; {
	case gap > longestGap, gap < -longestGap:
		r.anchor(p)
		offset = r.base
	case offset < r.base:
		return // from before the beginning: it was overtaken
	}
	r.last = offset
	end := offset + len(sound)
	if end > longestSound {
		return
	}
	if missing := end - len(r.samples); missing > 0 {
		r.samples = append(r.samples, make([]int16, missing)...)
	}
	copy(r.samples[offset:], sound)
}

// count follows the sequence numbers (RFC 3550 A.1) and finds new sources.
func (r *recording) count(p packet) {
	if !r.begun || p.ssrc != r.ssrc {
		r.missed += r.lostHere()
		r.anchor(p)
		r.begun, r.ssrc, r.packets = true, p.ssrc, 0
		r.first, r.highest = 1<<16+uint32(p.seq), 1<<16+uint32(p.seq)
	}
	r.packets++
	seq := r.highest + uint32(int32(int16(p.seq-uint16(r.highest))))
	if int32(seq-r.highest) > 0 {
		r.highest = seq
	}
}

// anchor lets the sound go on behind what there is.
func (r *recording) anchor(p packet) {
	r.base, r.origin, r.last = len(r.samples), p.at, len(r.samples)
}

// press notes a key (RFC 4733 2.3): all packets of one have the same timestamp.
func (r *recording) press(p packet) {
	const keys = "0123456789*#ABCD"
	if len(p.data) < 4 || int(p.data[0]) >= len(keys) || len(r.keys) == maxDigits {
		return
	}
	if len(r.keys) > 0 && p.at == r.event {
		return
	}
	r.event = p.at
	r.keys = append(r.keys, keys[p.data[0]])
}

// lostHere is how many packets of the present source did not come. Source: RFC 3550 A.3;
// packets that came twice make it smaller.
func (r *recording) lostHere() int {
	if !r.begun {
		return 0
	}
	return max(0, int(r.highest-r.first+1)-int(r.packets))
}

func (r *recording) lost() int        { return r.missed + r.lostHere() }
func (r *recording) digits() string   { return string(r.keys) }
func (r *recording) sound() wav.Sound { return wav.New(rate, r.samples) }
