package rtpaudio

import "time"

// Bounds of sequence numbers, of RFC 3550 appendix A.1.
const (
	maxDropout  = 3000
	maxMisorder = 100
)

// reception is the statistics of one source (RFC 3550 appendices A.1, A.3 and A.8), and
// of those before it in the same call.
type reception struct {
	begun    bool
	ssrc     uint32
	base     uint32 // first sequence number
	highest  uint32 // highest sequence number, extended by the times it has wrapped
	bad      uint32 // the sequence number that would confirm a jump; 1<<16 = none
	received uint32
	transit  uint32
	timed    bool   // transit is known
	jitter   uint32 // in samples, times 16
	lost     uint64 // of earlier sources

	priorExpected, priorReceived uint32 // when the last report was made
}

// begin starts anew with a source.
func (r *reception) begin(ssrc uint32, seq uint16) {
	*r = reception{
		begun: true, ssrc: ssrc, base: uint32(seq), highest: uint32(seq), bad: 1 << 16, received: 1,
		lost: r.missing(),
	}
}

// take counts a packet. fresh tells that it is newer than all before it; ok is false for
// one that is so far off that it does not count, unless the next one confirms it.
func (r *reception) take(ssrc uint32, seq uint16) (fresh, ok bool) {
	if !r.begun || ssrc != r.ssrc {
		r.begin(ssrc, seq)
		return true, true
	}
	switch ahead := seq - uint16(r.highest); {
	case ahead == 0: // a repetition
	case ahead < maxDropout:
		r.highest += uint32(ahead)
		fresh = true
	case int(ahead) <= 1<<16-maxMisorder:
		if uint32(seq) != r.bad {
			r.bad = uint32(seq + 1)
			return false, false
		}
		r.begin(ssrc, seq) // the peer has started anew without saying so
		return true, true
	}
	r.received++
	return fresh, true
}

// clocked measures jitter: how unevenly packets come, against the timestamps in them.
func (r *reception) clocked(at time.Time, timestamp uint32) {
	transit := uint32(at.UnixNano()/(int64(time.Second)/sampleRate)) - timestamp
	if d := int32(transit - r.transit); r.timed && max(d, -d) < maxGap {
		r.jitter += uint32(max(d, -d)) - (r.jitter+8)>>4
	}
	r.transit, r.timed = transit, true
}

func (r *reception) expected() uint32 {
	if !r.begun {
		return 0
	}
	return r.highest - r.base + 1
}

// missing is how many packets did not arrive, of all sources.
func (r *reception) missing() uint64 {
	return r.lost + uint64(max(int64(r.expected())-int64(r.received), 0))
}

// interval is the fraction of packets, in 1/256, that were lost since it was last asked
// for (RFC 3550 appendix A.3).
func (r *reception) interval() uint8 {
	expected, received := r.expected()-r.priorExpected, r.received-r.priorReceived
	r.priorExpected, r.priorReceived = r.expected(), r.received
	if expected == 0 || received >= expected {
		return 0
	}
	return uint8(min((uint64(expected-received)<<8)/uint64(expected), 255))
}
