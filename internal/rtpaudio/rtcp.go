package rtpaudio

import (
	"encoding/binary"
	"time"
)

// Types of RTCP packets (RFC 3550 section 12.1).
const (
	typeSR   = 200
	typeRR   = 201
	typeSDES = 202
	typeBye  = 203
)

// epoch1900 is the seconds from NTP's epoch to Unix's (RFC 868).
const epoch1900 = 2208988800

// ntp is a time as RTCP writes it: seconds since 1900 and fractions of 2^-32 s.
func ntp(t time.Time) uint64 {
	return uint64(t.Unix()+epoch1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// block is a reception report (RFC 3550 section 6.4.1).
type block struct {
	ssrc     uint32 // whose packets
	fraction uint8  // of them that were lost since the last report, in 1/256
	lost     int32  // in all; 24 bits
	highest  uint32 // sequence number
	jitter   uint32 // in samples
	last     uint32 // middle of the NTP time of the last sender report; 0 = none came
	delay    uint32 // since that came, in 1/65536 s
}

const blockSize = 24

func (b *block) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, b.ssrc)
	lost := uint32(max(min(b.lost, 1<<23-1), -1<<23)) & 0xffffff
	to = binary.BigEndian.AppendUint32(to, uint32(b.fraction)<<24|lost)
	to = binary.BigEndian.AppendUint32(to, b.highest)
	to = binary.BigEndian.AppendUint32(to, b.jitter)
	to = binary.BigEndian.AppendUint32(to, b.last)
	return binary.BigEndian.AppendUint32(to, b.delay)
}

func (b *block) read(from []byte) {
	at := func(i int) uint32 { return binary.BigEndian.Uint32(from[i:]) }
	*b = block{
		ssrc: at(0), fraction: from[4], lost: int32(at(4)<<8) >> 8,
		highest: at(8), jitter: at(12), last: at(16), delay: at(20),
	}
}

// report is a compound packet of ours.
type report struct {
	ssrc   uint32
	sender bool // the next four are told
	at     time.Time
	clock  uint32 // RTP timestamp at that time
	sent   uint32 // packets
	octets uint32 // of payload
	heard  *block // nil = nothing was heard
	name   string // CNAME
	bye    bool
}

// append writes the compound: SR or RR, SDES, BYE (RFC 3550 section 6.1).
func (r *report) append(to []byte) []byte {
	count := 0
	if r.heard != nil {
		count = 1
	}
	words := 1 + count*blockSize/4
	if r.sender {
		to = appendHeader(to, typeSR, count, words+5, r.ssrc)
		to = binary.BigEndian.AppendUint64(to, ntp(r.at))
		to = binary.BigEndian.AppendUint32(to, r.clock)
		to = binary.BigEndian.AppendUint32(to, r.sent)
		to = binary.BigEndian.AppendUint32(to, r.octets)
	} else {
		to = appendHeader(to, typeRR, count, words, r.ssrc)
	}
	if r.heard != nil {
		to = r.heard.append(to)
	}
	// RFC 3550 section 6.5: the list of items ends with at least one zero, at a multiple of 4 bytes.
	item := (2+len(r.name))/4*4 + 4
	to = appendHeader(to, typeSDES, 1, 1+item/4, r.ssrc)
	to = append(to, 1, byte(len(r.name))) // CNAME
	to = append(to, r.name...)
	to = append(to, make([]byte, item-2-len(r.name))...)
	if r.bye {
		to = appendHeader(to, typeBye, 1, 1, r.ssrc)
	}
	return to
}

// appendHeader writes what all packets begin with; words is how many 32-bit words follow
// the first.
func appendHeader(to []byte, kind byte, count, words int, ssrc uint32) []byte {
	to = append(to, 2<<6|byte(count), kind)
	to = binary.BigEndian.AppendUint16(to, uint16(words))
	return binary.BigEndian.AppendUint32(to, ssrc)
}

// told is what a compound packet of the peer's said.
type told struct {
	sender bool   // it had a sender report
	ssrc   uint32 // whose
	middle uint32 // of its NTP time
	about  block  // about the source that was asked for
	found  bool   // about is there
}

// readReports reads a compound packet (RFC 3550 appendix A.2), looking for a report about
// ssrc. ok is false for what is none.
func readReports(b []byte, ssrc uint32) (t told, ok bool) {
	for first := true; len(b) > 0; first = false {
		if len(b) < 4 || b[0]>>6 != 2 || (first && b[1] != typeSR && b[1] != typeRR) {
			return told{}, false
		}
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) || !t.read(b[:size], ssrc) {
			return told{}, false
		}
		b = b[size:]
		ok = true
	}
	return t, ok
}

// read reads one packet of a compound.
func (t *told) read(b []byte, ssrc uint32) bool {
	at := 8
	switch b[1] {
	case typeSR:
		at += 20
		if len(b) < at {
			return false
		}
		t.sender, t.ssrc, t.middle = true, binary.BigEndian.Uint32(b[4:]), uint32(binary.BigEndian.Uint64(b[8:])>>16)
	case typeRR:
	default:
		return true // SDES, BYE and others say nothing of interest
	}
	count := int(b[0] & 0x1f)
	if len(b) < at+count*blockSize {
		return false
	}
	for ; count > 0; count-- {
		if binary.BigEndian.Uint32(b[at:]) == ssrc {
			t.about.read(b[at:])
			t.found = true
		}
		at += blockSize
	}
	return true
}
