package rtpaudio

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// press is a packet of a key press: event, timestamp, and whether it is the end.
type press struct {
	event     byte
	timestamp uint32
	end       bool
}

func (p press) payload() []byte {
	b := []byte{p.event, 10, 1, 64}
	if p.end {
		b[1] |= 0x80
	}
	return b
}

func TestDigits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		packets []press
		want    string
	}{
		"a key, its end three times":   {[]press{{5, 100, false}, {5, 100, false}, {5, 100, true}, {5, 100, true}, {5, 100, true}}, "5"},
		"the same key twice":           {[]press{{5, 100, false}, {5, 100, true}, {5, 900, false}, {5, 900, true}}, "55"},
		"no end arrives":               {[]press{{1, 100, false}, {2, 900, false}, {2, 1700, false}}, "122"},
		"only an end arrives":          {[]press{{11, 100, true}}, "#"},
		"an end after the next key":    {[]press{{1, 100, false}, {2, 900, false}, {1, 100, true}, {2, 900, true}}, "12"},
		"all keys":                     {[]press{{0, 1, true}, {9, 2, true}, {10, 3, true}, {11, 4, true}, {12, 5, true}, {15, 6, true}}, "09*#AD"},
		"a flash and other events":     {[]press{{16, 1, true}, {32, 2, true}, {255, 3, true}}, ""},
		"held for nine seconds":        {[]press{{3, 100, false}, {3, 100 + 0xffff, false}, {3, 100 + 2*0xffff, true}}, "3"},
		"again after nine seconds":     {[]press{{3, 100, true}, {3, 100 + 0xffff, false}}, "33"},
		"timestamps that wrap":         {[]press{{1, 1<<32 - 100, true}, {2, 700, true}, {1, 1<<32 - 100, true}}, "12"},
		"an old key, all of it late":   {[]press{{2, 900, true}, {1, 100, false}, {1, 100, true}}, "2"},
		"another event, one timestamp": {[]press{{1, 100, false}, {2, 100, false}}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &digits{}
			news := 0
			for _, p := range tt.packets {
				if d.hear(p.timestamp, p.payload()) {
					news++
				}
			}
			if got := string(d.pressed); got != tt.want || news != len(tt.want) {
				t.Errorf("%d keys are new in %q, want %q", news, got, tt.want)
			}
		})
	}
}

func TestDigitsAreBounded(t *testing.T) {
	t.Parallel()
	d := &digits{}
	for i := range uint32(1000) {
		d.hear(i*800, press{event: 7}.payload())
	}
	if got, want := string(d.pressed), strings.Repeat("7", MaxDigits); got != want {
		t.Errorf("%d keys are kept, want %d", len(got), len(want))
	}
	if d := (&digits{}); d.hear(1, []byte{1, 2, 3}) || len(d.pressed) > 0 {
		t.Errorf("a payload of 3 bytes was taken for a key")
	}
}

// TestDigitsInACall presses keys while the peer speaks, and loses packets.
func TestDigitsInACall(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	e := listener(s)
	p := c.peer(sound(8000, 0))
	p.Events = 101
	start(t, s, p, 0, 0)
	c.hear(t, 1)
	seq := uint16(0)
	for _, p := range []press{{4, 800, false}, {4, 800, false}, {4, 800, true}, {2, 4000, true}, {2, 4000, true}, {11, 8000, false}} {
		seq += 2 // every other packet is lost
		say(t, c.rtp, there(s, 0), words(t, seq, p.timestamp, 101, p.payload()))
	}
	say(t, c.rtp, there(s, 0), words(t, seq+2, 9000, PCMU, []byte("sound")))
	<-e.heard
	if got := s.Stats().Digits; got != "42#" {
		t.Errorf("Stats().Digits = %q, want %q", got, "42#")
	}
	st := s.Close()
	if got, want := e.data.String(), "sound"; got != want {
		t.Errorf("%q was listened to, want %q", got, want)
	}
	if diff := cmp.Diff([]uint64{7, 6, 0}, []uint64{st.Received, st.Lost, st.Dropped}); diff != "" {
		t.Errorf("received, lost and dropped differ from what is expected (-want +got):\n%s", diff)
	}
}

// TestEventsNotAgreed ignores key presses that the signalling has not agreed on.
func TestEventsNotAgreed(t *testing.T) {
	t.Parallel()
	w := turning(t, Options{})
	c, s := listening(t, loopback), open(t, w)
	start(t, s, c.peer(sound(800, 0)), 0, 0)
	say(t, c.rtp, there(s, 0), words(t, 1, 1, 101, press{event: 1}.payload()))
	<-s.Done()
	if st := s.Close(); st.Digits != "" || st.Received != 0 || st.Dropped != 1 {
		t.Errorf("Close() = %+v, want one packet dropped", st)
	}
}
