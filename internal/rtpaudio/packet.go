package rtpaudio

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// maxDatagram is the longest datagram that is looked at: what fits an Ethernet frame.
// Sound of 60 ms is a third of it.
const maxDatagram = 1500

// arrival is a datagram that came.
type arrival struct {
	data []byte // nil = it was longer than maxDatagram
	from netip.AddrPort
	at   time.Time
}

// packet is an RTP packet.
type packet struct {
	marker    bool
	payload   uint8
	seq       uint16
	timestamp uint32
	ssrc      uint32
	data      []byte
}

// parse reads an RTP packet (RFC 3550 section 5.1). ok is false for what is none.
func parse(b []byte) (p packet, ok bool) {
	if len(b) < headerSize || b[0]>>6 != 2 {
		return packet{}, false
	}
	p = packet{
		marker: b[1]&0x80 != 0, payload: b[1] & 0x7f,
		seq:       binary.BigEndian.Uint16(b[2:]),
		timestamp: binary.BigEndian.Uint32(b[4:]),
		ssrc:      binary.BigEndian.Uint32(b[8:]),
	}
	padded, extended, sources := b[0]&0x20 != 0, b[0]&0x10 != 0, int(b[0]&0xf)
	begin, end := headerSize+4*sources, len(b)
	if extended {
		if end < begin+4 {
			return packet{}, false
		}
		begin += 4 + 4*int(binary.BigEndian.Uint16(b[begin+2:]))
	}
	if padded {
		n := int(b[end-1])
		if n == 0 {
			return packet{}, false
		}
		end -= n
	}
	if end < begin {
		return packet{}, false
	}
	p.data = b[begin:end]
	return p, true
}
