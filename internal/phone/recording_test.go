package phone

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/audio"
)

// heard makes a packet of the source whose 160 samples all have the value of the code word.
func heard(ssrc, seq, at uint32, word byte) []byte {
	b := make([]byte, rtpHeader)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], uint16(seq))
	binary.BigEndian.PutUint32(b[4:], at)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return append(b, slices.Repeat([]byte{word}, 160)...)
}

// words gives the first sample of each 20 ms as µ-law.
func words(r *recording) []byte {
	var all []byte
	for i := 0; i < len(r.samples); i += packetSamples {
		all = audio.AppendMuLaw(all, r.samples[i:i+1])
	}
	return all
}

func TestRecordingPutsSoundInItsPlace(t *testing.T) {
	t.Parallel()
	const gap = audio.SilenceMuLaw
	for name, c := range map[string]struct {
		packets [][]byte
		want    []byte
		lost    int
	}{
		"in order":            {[][]byte{heard(1, 1, 0, 1), heard(1, 2, 160, 2)}, []byte{1, 2}, 0},
		"overtaken":           {[][]byte{heard(1, 1, 0, 1), heard(1, 3, 320, 3), heard(1, 2, 160, 2)}, []byte{1, 2, 3}, 0},
		"overtaken the first": {[][]byte{heard(1, 2, 160, 2), heard(1, 1, 0, 1), heard(1, 3, 320, 3)}, []byte{2, 3}, 0},
		"twice":               {[][]byte{heard(1, 1, 0, 1), heard(1, 1, 0, 1), heard(1, 2, 160, 2)}, []byte{1, 2}, 0},
		"lost":                {[][]byte{heard(1, 1, 0, 1), heard(1, 4, 480, 4)}, []byte{1, gap, gap, 4}, 2},
		"silence not sent":    {[][]byte{heard(1, 1, 0, 1), heard(1, 2, 480, 4)}, []byte{1, gap, gap, 4}, 0},
		"numbers run over": {
			[][]byte{heard(1, 0xfffe, 0xffffff60, 1), heard(1, 0, 160, 3), heard(1, 1, 320, 4)},
			[]byte{1, gap, 3, 4},
			1,
		},
		"another source":  {[][]byte{heard(1, 1, 0, 1), heard(1, 3, 320, 3), heard(2, 500, 9, 7)}, []byte{1, gap, 3, 7}, 1},
		"another time":    {[][]byte{heard(1, 1, 0, 1), heard(1, 2, 1<<30, 2), heard(1, 3, 1<<30+160, 3)}, []byte{1, 2, 3}, 0},
		"a time long ago": {[][]byte{heard(1, 1, 1<<30, 1), heard(1, 2, 160, 2)}, []byte{1, 2}, 0},
	} {
		var r recording
		for _, p := range c.packets {
			r.hear(p, 0)
		}
		if diff := cmp.Diff(c.want, words(&r)); diff != "" || r.lost() != c.lost {
			t.Errorf("%s: lost %d, want %d; sound (-want +got):\n%s", name, r.lost(), c.lost, diff)
		}
	}
}

func TestParseSkipsWhatIsBesidesTheSound(t *testing.T) {
	t.Parallel()
	plain := heard(1, 1, 0, 9)
	head := func(first byte) []byte { return append([]byte{first}, plain[1:rtpHeader]...) }
	for name, c := range map[string]struct {
		packet []byte
		want   []byte // nil = it is not one
	}{
		"plain":          {append(head(0x80), 1, 2), []byte{1, 2}},
		"sources":        {append(head(0x82), 0, 0, 0, 0, 0, 0, 0, 0, 1, 2), []byte{1, 2}},
		"extension":      {append(head(0x90), 0, 0, 0, 1, 9, 9, 9, 9, 1, 2), []byte{1, 2}},
		"padding":        {append(head(0xa0), 1, 2, 0, 2), []byte{1, 2}},
		"short":          {plain[:11], nil},
		"version 1":      {append(head(0x40), 1, 2), nil},
		"few sources":    {append(head(0x82), 0, 0, 0, 0), nil},
		"no extension":   {append(head(0x90), 0, 0, 0), nil},
		"half extension": {append(head(0x90), 0, 0, 0, 1, 9), nil},
		"no padding":     {head(0xa0), nil},
		"all padding":    {append(head(0xa0), 9), nil},
		"padding of 0":   {append(head(0xa0), 1, 0), nil},
	} {
		p, ok := parse(c.packet)
		if ok != (c.want != nil) || ok && !slices.Equal(p.data, c.want) {
			t.Errorf("%s: parse = %v, %v, want %v", name, p.data, ok, c.want)
		}
	}
}

// FuzzHear feeds what anybody on the network may send.
func FuzzHear(f *testing.F) {
	f.Add(heard(1, 1, 0, 1), heard(1, 2, 1<<31, 1), heard(2, 3, 7, 1))
	f.Add(heard(1, 1, 0, 1)[:13], []byte{0xbf}, []byte{})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		var r recording
		for _, p := range [][]byte{a, b, c, a} {
			r.hear(p, 101)
		}
		if len(r.samples) > 3*longestGap+4*largest+len(a)+len(b)+len(c) || r.lost() < 0 {
			t.Errorf("%d samples, %d lost after four packets", len(r.samples), r.lost())
		}
	})
}
