package rtpaudio

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
)

// compound reads a compound packet, with a parser that is not ours.
func compound(t testing.TB, b []byte) []rtcp.Packet {
	t.Helper()
	all, err := rtcp.Unmarshal(b)
	if err != nil {
		t.Fatalf("Unmarshal(% x) = %v, want nil", b, err)
	}
	if err := rtcp.CompoundPacket(all).Validate(); err != nil {
		t.Errorf("Validate(%v) = %v, want nil", all, err)
	}
	return all
}

// TestReports has both sides report on a call.
func TestReports(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	start(t, s, c.peer(sound(8000*60, 0)), 0, 0)
	got := c.hear(t, 2)
	for _, seq := range []uint16{100, 101, 103} {
		say(t, c.rtp, there(s, 0), words(t, seq, uint32(seq)*160, PCMU, nil))
	}
	pass(t, s, 250) // they are read
	var sent int
	do(t, s, func() { sent = int(s.packets); s.reportAt = s.shard.turn })

	before := time.Now()
	all := compound(t, receive(t, c.rtcp))
	sr, ok := all[0].(*rtcp.SenderReport)
	if !ok || len(all) != 2 {
		t.Fatalf("the report is %v, want a sender report and a description", all)
	}
	if sr.SSRC != got[0].SSRC || int(sr.PacketCount) < sent || sr.OctetCount != 160*sr.PacketCount {
		t.Errorf("the sender report is %+v, want source %d, at least %d packets and 160 octets for each", sr, got[0].SSRC, sent)
	}
	// The RTP timestamp belongs to the moment of the report: about when the last packet left.
	if ahead := int32(sr.RTPTime - got[0].Timestamp - 160*sr.PacketCount); ahead < -160 || ahead > 8000*10 {
		t.Errorf("the sender report's clock is %d samples ahead of the last packet", ahead)
	}
	if at := time.Unix(int64(sr.NTPTime>>32)-epoch1900, 0); at.Before(before.Add(-time.Minute)) || at.After(time.Now()) {
		t.Errorf("the sender report is of %v, want now", at)
	}
	want := []rtcp.ReceptionReport{{SSRC: 0xca11ee, FractionLost: 64, TotalLost: 1, LastSequenceNumber: 103, Jitter: sr.Reports[0].Jitter}}
	if diff := cmp.Diff(want, sr.Reports); diff != "" {
		t.Errorf("reception reports differ (-want +got):\n%s", diff)
	}
	name := all[1].(*rtcp.SourceDescription).Chunks[0]
	if name.Source != sr.SSRC || len(name.Items) != 1 || name.Items[0].Type != rtcp.SDESCNAME || len(name.Items[0].Text) != 16 {
		t.Errorf("the description is %+v, want a CNAME of 16 letters", name)
	}

	say(t, c.rtcp, there(s, 1), plainReport(t, &rtcp.SenderReport{
		SSRC: 0xca11ee, NTPTime: 0x1234_5678_9abc_def0, RTPTime: 1,
		Reports: []rtcp.ReceptionReport{
			{SSRC: 4711, TotalLost: 99},
			{SSRC: sr.SSRC, TotalLost: 5, FractionLost: 3, Jitter: 80, LastSenderReport: uint32(sr.NTPTime >> 16), Delay: 0},
		},
	}))
	do(t, s, func() { s.readReports(); s.report(false) })
	st := s.Stats()
	if st.RemoteLost != 5 || st.RemoteJitter != 10*time.Millisecond || st.RoundTrip <= 0 || st.RoundTrip > time.Minute {
		t.Errorf("Stats() = %+v, want 5 lost on the way, 10 ms of jitter, and a round trip", st)
	}
	next := compound(t, receive(t, c.rtcp))[0].(*rtcp.SenderReport).Reports[0]
	if next.LastSenderReport != 0x5678_9abc || next.FractionLost != 0 {
		t.Errorf("the next reception report is %+v, want it to name the peer's report", next)
	}

	s.Close()
	last := compound(t, receive(t, c.rtcp))
	if bye, ok := last[len(last)-1].(*rtcp.Goodbye); !ok || !cmp.Equal(bye.Sources, []uint32{sr.SSRC}) {
		t.Errorf("the last report is %v, want it to end with a goodbye", last)
	}
}

// TestReportsOfAListener reports as one who does not send (RFC 3550 section 6.4).
func TestReportsOfAListener(t *testing.T) {
	t.Parallel()
	s, c := still(t, nil)
	s.held = true
	s.report(false)
	if all := compound(t, receive(t, c.rtcp)); len(all[0].(*rtcp.ReceiverReport).Reports) != 0 {
		t.Errorf("the report is %v, want one about nobody", all)
	}
	s.held = false
	s.takeTurn(0)
	s.held = true
	for i, sender := range []bool{true, true, false} {
		s.report(false)
		if _, ok := compound(t, receive(t, c.rtcp))[0].(*rtcp.SenderReport); ok != sender {
			t.Errorf("report %d after a packet is a sender's: %v, want %v", i, ok, sender)
		}
	}
}

// TestReportsFromAnotherPort follows reports through address translation, once.
func TestReportsFromAnotherPort(t *testing.T) {
	t.Parallel()
	s, c := still(t, nil)
	stranger, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 3)})
	if err != nil {
		t.Fatalf("ListenUDP() = %v, want nil", err)
	}
	defer stranger.Close()
	other, third := listening(t, loopback), listening(t, loopback)
	about := plainReport(t, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: s.ssrc, TotalLost: 1}}})
	for _, from := range []*net.UDPConn{stranger, other.rtcp, third.rtcp} {
		say(t, from, there(s, 1), about)
	}
	s.takeTurn(0)
	for s.Stats().RemoteLost == 0 || s.Stats().Dropped == 0 { // the portable socket reads by itself
		s.readReports()
	}
	s.report(false)
	compound(t, receive(t, other.rtcp))
	nothing(t, c.rtcp)
	nothing(t, stranger)
	nothing(t, third.rtcp)
}

// TestReportsFollowSound sends reports beside the port that sound was followed to.
func TestReportsFollowSound(t *testing.T) {
	t.Parallel()
	s, _ := still(t, nil)
	named, behind := s.peer.RTP, netip.MustParseAddrPort("127.0.0.9:4000")
	s.reportTo(s.peer.RTCP)
	s.follow(named)
	if s.reportsFrom != s.peer.RTCP {
		t.Errorf("reports go to %v, want %v as the peer has named", s.reportsFrom, s.peer.RTCP)
	}
	s.follow(behind)
	if got, want := s.reportsFrom, netip.MustParseAddrPort("127.0.0.9:4001"); got != want {
		t.Errorf("reports go to %v, want %v", got, want)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	var sum int64
	for range 10_000 {
		ticks := pause(reportTime)
		if ticks < 2050 || ticks > 6160 {
			t.Fatalf("pause() = %d ticks, want between 0.5 and 1.5 times 5 s, divided by 1.218", ticks)
		}
		sum += ticks
	}
	if mean := sum / 10_000; mean < 4000 || mean > 4210 {
		t.Errorf("pause() is %d ticks on average, want about 4100", mean)
	}
}

func TestReadReports(t *testing.T) {
	t.Parallel()
	about := rtcp.ReceptionReport{SSRC: 7, FractionLost: 1, TotalLost: 0xfffffe, LastSequenceNumber: 3, Jitter: 4, LastSenderReport: 5, Delay: 6}
	said := block{ssrc: 7, fraction: 1, lost: -2, highest: 3, jitter: 4, last: 5, delay: 6}
	rr := &rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{about}}
	sdes := rtcp.NewCNAMESourceDescription(9, "x")
	for name, tt := range map[string]struct {
		in   []byte
		want told
		ok   bool
	}{
		"receiver report": {plainReport(t, rr), told{about: said, found: true}, true},
		"about another":   {plainReport(t, &rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{{SSRC: 8}}}), told{}, true},
		"sender report": {
			plainReport(t, &rtcp.SenderReport{SSRC: 9, NTPTime: 0x0011_2233_4455_6677, Reports: []rtcp.ReceptionReport{about}}),
			told{sender: true, ssrc: 9, middle: 0x2233_4455, about: said, found: true},
			true,
		},
		"compound":          {append(plainReport(t, rr), plainReport(t, sdes)...), told{about: said, found: true}, true},
		"no report first":   {plainReport(t, sdes), told{}, false},
		"nothing":           {nil, told{}, false},
		"cut":               {plainReport(t, rr)[:20], told{}, false},
		"rest":              {append(plainReport(t, rr), 0x80), told{}, false},
		"no room for block": {[]byte{0x81, typeRR, 0, 1, 0, 0, 0, 9}, told{}, false},
		"no sender":         {[]byte{0x80, typeSR, 0, 1, 0, 0, 0, 9}, told{}, false},
		"version 1":         {[]byte{0x40, typeRR, 0, 1, 0, 0, 0, 9}, told{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := readReports(tt.in, 7)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(told{}, block{})); diff != "" || ok != tt.ok {
				t.Errorf("readReports() = %v, want %v, and differs (-want +got):\n%s", ok, tt.ok, diff)
			}
		})
	}
}

func TestLearnNothingFromClocksThatWereSet(t *testing.T) {
	t.Parallel()
	s, _ := still(t, nil)
	now := time.Now()
	s.learn(&block{last: uint32(ntp(now.Add(time.Second)) >> 16)}, now)
	if got := s.Stats().RoundTrip; got != 0 {
		t.Errorf("Stats().RoundTrip = %v, want 0", got)
	}
	s.learn(&block{last: uint32(ntp(now.Add(-3*time.Second)) >> 16), delay: 2 << 16}, now)
	if got := s.Stats().RoundTrip.Round(time.Millisecond); got != time.Second {
		t.Errorf("Stats().RoundTrip = %v, want 1s", got)
	}
}
