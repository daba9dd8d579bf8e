package rtpaudio

import (
	"crypto/rand"
	mrand "math/rand/v2"
	"net/netip"
	"time"
)

const (
	// reportTime is the least time between reports (RFC 3550 section 6.2). The share of RTCP
	// in a telephone call's bandwidth would allow more.
	reportTime = 5 * time.Second
	// reconsidered corrects for what the random part of the interval does to its mean:
	// e - 3/2 (RFC 3550 section 6.3.1).
	reconsidered = 2.71828 - 1.5
	// readTicks is how often, in ticks, the peer's reports are read.
	readTicks = int64(time.Second / tick)
)

// reporter is RTCP of a call.
type reporter struct {
	cname       string         // CNAME, random for each call (RFC 7022 section 4.2)
	reportsTo   address        // where reports go
	reportsFrom netip.AddrPort // the same, to be read
	confirmed   bool           // reports came from there
	readAt      int64          // tick at which is read next
	reportAt    int64          // tick at which is reported next
	reported    bool           // something was sent
	octets      uint32         // of payload that was sent
	packets     uint32
	prior       [2]uint32 // packets at the last two reports

	heardSR   uint32    // middle of the NTP time of the peer's last sender report
	heardSRAt time.Time // when that came
}

// startReports begins RTCP at a tick.
func (s *Stream) startReports(turn int64) {
	s.cname = rand.Text()[:16]
	s.readAt = turn + readTicks
	s.reportAt = turn + pause(reportTime/2) // the first comes sooner (RFC 3550 section 6.2)
}

// reportTo sets where reports go and come from.
func (s *Stream) reportTo(a netip.AddrPort) {
	s.reportsFrom, s.reportsTo, s.confirmed = a, s.rtcp.address(a), false
}

// pause is the random time to the next report, in ticks (RFC 3550 section 6.3.1).
func pause(mean time.Duration) int64 {
	return int64((0.5 + mrand.Float64()) * float64(mean/tick) / reconsidered)
}

// exchange reads the peer's reports and sends ours, when it is time to.
func (s *Stream) exchange(turn int64) {
	if turn >= s.readAt {
		s.readAt = turn + readTicks
		s.readReports()
	}
	if turn >= s.reportAt {
		s.reportAt = turn + pause(reportTime)
		s.report(false)
	}
}

// report sends a report, with goodbye at the end of a call.
func (s *Stream) report(bye bool) {
	elapsed := s.shard.clock.now()
	r := report{
		ssrc: s.ssrc, name: s.cname, bye: bye,
		// RFC 3550 section 6.4: a sender is who has sent since the report before the last one.
		sender: s.packets != s.prior[1],
		at:     time.Now(), clock: s.offset + uint32(elapsed/(time.Second/sampleRate)),
		sent: s.packets, octets: s.octets,
	}
	s.prior = [2]uint32{s.packets, s.prior[0]}
	var b block
	if s.heard.begun {
		b = s.block(r.at)
		r.heard = &b
	}
	if s.reportsFrom.Port() == 0 { // the peer's RTP port is the last there is
		return
	}
	packet, err := s.crypt.protectReport(r.append(s.shard.packet[:0]))
	if err == nil {
		err = s.rtcp.send(packet, &s.reportsTo)
	}
	if err != nil {
		s.counts.sendErrors.Add(1)
		s.shard.tally.failed++
		return
	}
	s.reported = true
}

// block reports what was heard of the peer.
func (s *Stream) block(now time.Time) block {
	b := block{
		ssrc: s.heard.ssrc, fraction: s.heard.interval(), lost: int32(min(s.heard.missing(), 1<<23-1)),
		highest: s.heard.highest, jitter: s.heard.jitter >> 4,
	}
	if !s.heardSRAt.IsZero() {
		b.last = s.heardSR
		b.delay = uint32(max(now.Sub(s.heardSRAt), 0) << 16 / time.Second)
	}
	return b
}

// readReports reads what has arrived at the RTCP port.
func (s *Stream) readReports() {
	defer s.recovered()
	if s.deaf {
		return
	}
	got := s.rtcp.receive(s.shard.inbox)
	for i := range got {
		if !s.takeReport(&got[i]) {
			s.counts.dropped.Add(1)
			s.shard.tally.dropped++
		}
	}
}

// takeReport takes a datagram that came to the RTCP port. It reports false if it is no
// report of the peer's.
func (s *Stream) takeReport(a *arrival) bool {
	if from := a.from.Addr(); from != s.reportsFrom.Addr() && from != s.source.Addr() {
		return false
	}
	plain, err := s.crypt.unprotectReport(a.data)
	if err != nil {
		return false
	}
	t, ok := readReports(plain, s.ssrc)
	if !ok {
		return false
	}
	if !s.confirmed {
		// The peer's reports come from another port than it has named: address translation.
		s.reportTo(a.from)
		s.confirmed = true
	}
	if t.sender {
		s.heardSR, s.heardSRAt = t.middle, a.at
	}
	if t.found {
		s.learn(&t.about, a.at)
	}
	return true
}

// learn keeps what the peer reports about our packets.
func (s *Stream) learn(b *block, at time.Time) {
	s.counts.remoteLost.Store(uint64(max(b.lost, 0)))
	s.counts.remoteJitter.Store(int64(b.jitter))
	if b.last == 0 {
		return
	}
	// RFC 3550 section 6.4.1; a difference below zero is a clock that was set meanwhile.
	if units := int32(uint32(ntp(at)>>16) - b.last - b.delay); units >= 0 {
		s.counts.roundTrip.Store(int64(units) * int64(time.Second) >> 16)
	}
}
