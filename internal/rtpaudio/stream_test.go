package rtpaudio

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// heard is what a callee must hear: silence, a sound, silence, in whole packets.
func heard(law byte, before int, sound []byte, after, packet int) []byte {
	b := bytes.Repeat([]byte{law}, before)
	b = append(b, sound...)
	b = append(b, bytes.Repeat([]byte{law}, after)...)
	for len(b)%packet != 0 {
		b = append(b, law)
	}
	return b
}

// inOrder fails the test unless packets are numbered one after the other and timestamps
// tell how long each is. A jump must be marked: on a machine so busy that the wheel stood
// still there may be some, and after a pause.
func inOrder(t testing.TB, got []*rtp.Packet) (pauses []int) {
	t.Helper()
	for i, p := range got {
		if i == 0 {
			if !p.Marker {
				t.Errorf("the first packet is not marked")
			}
			continue
		}
		last := got[i-1]
		if p.SequenceNumber != last.SequenceNumber+1 {
			t.Errorf("packet %d has number %d, want %d", i, p.SequenceNumber, last.SequenceNumber+1)
		}
		jump := p.Timestamp - last.Timestamp - uint32(len(last.Payload))
		if jump > 1<<31 || jump%8 != 0 || p.Marker != (jump > 0) {
			t.Errorf("packet %d comes %d samples later than the one before has ended, and its marker is %v", i, int32(jump), p.Marker)
		}
		if jump > 0 {
			pauses = append(pauses, i)
		}
	}
	return pauses
}

func TestStreamSpeaks(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{Shards: 2})
	for _, tt := range []struct {
		payload       uint8
		quiet         byte
		samples       int
		packet        time.Duration
		before, after time.Duration
	}{
		{PCMU, 0xff, 1000, 0, 50 * time.Millisecond, 40 * time.Millisecond},
		{PCMA, 0xd5, 1000, 0, 0, 0},
		{PCMU, 0xff, 1600, 20 * time.Millisecond, 0, time.Millisecond},
		{PCMA, 0xd5, 801, 10 * time.Millisecond, 5 * time.Millisecond, 7 * time.Millisecond},
		{PCMU, 0xff, 2000, 30 * time.Millisecond, 100 * time.Millisecond, 0},
		{PCMU, 0xff, 1, 60 * time.Millisecond, 61 * time.Millisecond, 30 * time.Millisecond},
		{PCMA, 0xd5, 999, 17 * time.Millisecond, 0, 0},
		{PCMU, 0xff, 0, 0, 30 * time.Millisecond, 20 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d samples of %d in %v", tt.samples, tt.payload, tt.packet), func(t *testing.T) {
			t.Parallel()
			c, s := listening(t, loopback), open(t, w)
			p := c.peer(sound(tt.samples, 0))
			p.Payload, p.Packet = tt.payload, tt.packet
			start(t, s, p, tt.before, tt.after)
			n := 8 * int(max(p.Packet, 1).Milliseconds())
			if tt.packet == 0 {
				n = 160
			}
			want := heard(tt.quiet, samples(tt.before), p.Sound, samples(tt.after), n)
			got := c.hear(t, len(want)/n)
			<-s.Done()
			if diff := bytes.Compare(payloads(got), want); diff != 0 {
				t.Errorf("%d bytes were heard that differ from the %d that were to be said", len(payloads(got)), len(want))
			}
			inOrder(t, got)
			for i, p := range got {
				if p.PayloadType != tt.payload || p.SSRC != got[0].SSRC || p.Version != 2 || p.Padding || p.Extension {
					t.Errorf("packet %d has the header %+v", i, p.Header)
				}
			}
			st := s.Close()
			nothing(t, c.rtp)
			if spoken := time.Duration(tt.samples) * 125 * time.Microsecond; !st.Complete || st.Spoken != spoken || st.Sent != uint64(len(got)) || st.SendErrors != 0 {
				t.Errorf("Close() = %+v, want all %d packets sent and %v spoken", st, len(got), spoken)
			}
		})
	}
}

func TestStreamBeginsInTheLowerHalf(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	for range 20 {
		c, s := listening(t, loopback), open(t, w)
		start(t, s, c.peer(nil), time.Millisecond, 0)
		if p := c.hear(t, 1)[0]; p.SequenceNumber >= 1<<15 {
			t.Errorf("the first sequence number is %d, want less than %d", p.SequenceNumber, 1<<15)
		}
	}
}

func TestStreamWithNothingToSay(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	start(t, s, c.peer(nil), 0, -time.Second)
	<-s.Done()
	if st := s.Close(); st.Sent != 0 || !st.Complete {
		t.Errorf("Close() = %+v, want nothing sent and all complete", st)
	}
	nothing(t, c.rtp)
	nothing(t, c.rtcp)
}

// TestStreamManyAtOnce has several hundred calls at a time, of which none may lose a packet.
func TestStreamManyAtOnce(t *testing.T) {
	t.Parallel()
	const streams, packets = 600, 20 // more than one thread gets
	w := turning(t, Options{Shards: 2})
	message := sound(packets*160, 0)
	type call struct {
		c *callee
		s *Stream
	}
	var calls []call
	for range streams {
		c, s := listening(t, loopback), open(t, w)
		calls = append(calls, call{c, s})
		start(t, s, c.peer(message), 0, 0)
	}
	for i, call := range calls {
		<-call.s.Done()
		got := call.c.hear(t, packets)
		inOrder(t, got)
		if !bytes.Equal(payloads(got), message) {
			t.Errorf("call %d: the message did not arrive as it was sent", i)
		}
	}
}

func TestStreamHolds(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	message := sound(20*160, 0)
	start(t, s, c.peer(message), 0, 0)
	got := c.hear(t, 3)
	s.Hold()
	pass(t, s, 1)
	sent := int(s.Stats().Sent)
	got = append(got, c.hear(t, sent-len(got))...)
	pass(t, s, 100)
	if now := int(s.Stats().Sent); now != sent {
		t.Errorf("%d packets were sent while the stream was held", now-sent)
	}
	nothing(t, c.rtp)
	s.Resume()
	got = append(got, c.hear(t, 20-sent)...)
	<-s.Done()
	if !bytes.Equal(payloads(got), message) {
		t.Errorf("the message did not arrive as it was sent")
	}
	if pauses := inOrder(t, got); !slices.Contains(pauses, sent) {
		t.Errorf("pauses are before the packets %v, want one before %d", pauses, sent)
	}
}

func TestStreamHeldFromTheStart(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	s.Hold()
	start(t, s, c.peer(sound(160, 0)), 0, 0)
	pass(t, s, 50)
	if st := s.Stats(); st.Sent != 0 || st.Complete {
		t.Errorf("Stats() = %+v, want nothing sent", st)
	}
	s.Resume()
	c.hear(t, 1)
	<-s.Done()
}

// TestStreamRedirected changes everything in the middle of a message.
func TestStreamRedirected(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	one, two, s := listening(t, loopback), listening(t, loopback), open(t, w)
	mu, a := sound(20*160, 0), sound(20*160, 0x55)
	if err := s.Redirect(two.peer(a)); err == nil {
		t.Errorf("Redirect() before Start = nil, want an error")
	}
	start(t, s, one.peer(mu), 0, 0)
	before := one.hear(t, 5)
	next := two.peer(a)
	next.Payload, next.Packet = PCMA, 40*time.Millisecond
	if err := s.Redirect(next); err != nil {
		t.Fatalf("Redirect(%v) = %v, want nil", next.RTP, err)
	}
	pass(t, s, 1)
	before = append(before, one.hear(t, int(s.Stats().Sent)-len(before))...)
	if got := s.Stats().Remote; got != next.RTP {
		t.Errorf("Stats().Remote = %v, want %v", got, next.RTP)
	}
	n := (20 - len(before) + 1) / 2
	after := two.hear(t, n)
	<-s.Done()
	nothing(t, one.rtp)
	at := len(before) * 160
	if !bytes.Equal(payloads(before), mu[:at]) {
		t.Errorf("the first peer heard another message")
	}
	if !bytes.Equal(payloads(after)[:len(a)-at], a[at:]) {
		t.Errorf("the second peer heard another message than the rest")
	}
	inOrder(t, append(before, after...))
	if first, last := before[0], after[len(after)-1]; last.SSRC != first.SSRC || first.PayloadType != PCMU || last.PayloadType != PCMA {
		t.Errorf("the first packet has the header %+v, the last %+v", first.Header, last.Header)
	}
	if st := s.Stats(); st.Spoken != 400*time.Millisecond {
		t.Errorf("Stats().Spoken = %v, want 400ms", st.Spoken)
	}
}
