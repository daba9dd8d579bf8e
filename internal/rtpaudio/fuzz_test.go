package rtpaudio

import (
	"bytes"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// FuzzHear has a call hear anything at its RTP port. What our parser takes must be what
// another one sees in it.
func FuzzHear(f *testing.F) {
	f.Add(words(f, 1, 2, PCMU, []byte("sound")), uint8(3))
	f.Add(words(f, 65535, 1<<32-1, PCMA, nil), uint8(1))
	f.Add(words(f, 7, 8, 101, press{event: 5, end: true}.payload()), uint8(2))
	f.Add([]byte{0xb1, 0x80, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 2}, uint8(0))
	s, _ := still(f, nil)
	s.listener = func(uint8, []byte) {}
	source := s.peer.RTP
	f.Fuzz(func(t *testing.T, b []byte, times uint8) {
		before := s.Stats()
		for range times {
			s.take(&arrival{data: b, from: source})
		}
		after := s.Stats()
		if n := after.Received + after.Dropped - before.Received - before.Dropped; n != uint64(times) {
			t.Errorf("%d of %d packets were counted", n, times)
		}
		if after.Received > before.Received && s.source != source {
			t.Errorf("sound is followed to %v, want %v", s.source, source)
		}
		ours, ok := parse(b)
		if !ok {
			return
		}
		theirs := &rtp.Packet{}
		if err := theirs.Unmarshal(b); err != nil {
			return // extensions are skipped here, and read there
		}
		if ours.payload != theirs.PayloadType || ours.seq != theirs.SequenceNumber || ours.timestamp != theirs.Timestamp ||
			ours.ssrc != theirs.SSRC || ours.marker != theirs.Marker || !bytes.Equal(ours.data, theirs.Payload) {
			t.Errorf("parse(% x) = %+v, want %+v", b, ours, theirs)
		}
	})
}

// FuzzHearProtected has a call with SRTP hear anything.
func FuzzHearProtected(f *testing.F) {
	to := peerContext(f, key(2))
	f.Add(encrypted(f, to, words(f, 1, 2, PCMU, []byte("sound"))), true)
	f.Add(words(f, 1, 2, PCMU, []byte("plain")), true)
	f.Add(protected(f, to, &rtcp.ReceiverReport{SSRC: 1}), false)
	s, _ := still(f, &Keys{Local: key(1), Remote: key(2)})
	f.Fuzz(func(_ *testing.T, b []byte, sound bool) {
		if sound {
			s.take(&arrival{data: b, from: s.peer.RTP})
		} else {
			s.takeReport(&arrival{data: b, from: s.peer.RTCP})
		}
	})
}

// FuzzHearReports has a call hear anything at its RTCP port.
func FuzzHearReports(f *testing.F) {
	rr := &rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{{SSRC: 7, TotalLost: 5}}}
	f.Add(plainReport(f, rr), uint32(7))
	f.Add(append(plainReport(f, rr), plainReport(f, rtcp.NewCNAMESourceDescription(9, "x"))...), uint32(7))
	f.Add(plainReport(f, &rtcp.SenderReport{SSRC: 9, NTPTime: 1 << 40, Reports: rr.Reports}), uint32(7))
	s, _ := still(f, nil)
	f.Fuzz(func(t *testing.T, b []byte, ssrc uint32) {
		s.ssrc = ssrc
		if s.takeReport(&arrival{data: bytes.Clone(b), from: s.peer.RTCP}) && (len(b) < 8 || b[0]>>6 != 2) {
			t.Errorf("takeReport(% x) = true, want false", b)
		}
		told, ok := readReports(b, ssrc)
		if ok && told.found && told.about.ssrc != ssrc {
			t.Errorf("a report about %d was taken for one about %d", told.about.ssrc, ssrc)
		}
		if ok && told.found {
			again := told.about
			again.read(told.about.append(nil))
			if again != told.about {
				t.Errorf("%+v was written and read again as %+v", told.about, again)
			}
		}
	})
}
