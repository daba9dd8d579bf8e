package audio_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os/exec"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tidings/internal/audio"
)

// law is one of the two encodings, with rows of its table in ITU-T G.711.
type law struct {
	name   string
	encode func([]byte, []int16) []byte
	decode func([]byte) []int16
	scale  int // of a sample to a value of the table
	sox    string
	snr    float64 // of a sine of 1,004 Hz at -3 dBm0, in dB, at least
	rows   []row
}

// row is an interval of the positive values of the table: from decision value x(n) up to
// x(n+1), the byte that is sent for it, and the value at the decoder's output.
type row struct {
	from, to int
	code     byte
	value    int
}

var laws = []law{
	{"mu-law", audio.AppendMuLaw, audio.MuLaw, 4, "ul", 37, []row{ // table 2a
		{0, 1, 0b11111111, 0},
		{1, 3, 0b11111110, 2},
		{29, 31, 0b11110000, 30},
		{31, 35, 0b11101111, 33},
		{91, 95, 0b11100000, 93},
		{95, 103, 0b11011111, 99},
		{215, 223, 0b11010000, 219},
		{223, 239, 0b11001111, 231},
		{463, 479, 0b11000000, 471},
		{479, 511, 0b10111111, 495},
		{959, 991, 0b10110000, 975},
		{991, 1055, 0b10101111, 1023},
		{1951, 2015, 0b10100000, 1983},
		{2015, 2143, 0b10011111, 2079},
		{3935, 4063, 0b10010000, 3999},
		{4063, 4319, 0b10001111, 4191},
		{7903, 8159, 0b10000000, 8031},
	}},
	{"A-law", audio.AppendALaw, audio.ALaw, 8, "al", 37, []row{ // table 1a; even bits inverted, as its note 2 demands
		{0, 2, 0b10000000 ^ 0x55, 1},
		{30, 32, 0b10001111 ^ 0x55, 31},
		{32, 34, 0b10010000 ^ 0x55, 33},
		{62, 64, 0b10011111 ^ 0x55, 63},
		{64, 68, 0b10100000 ^ 0x55, 66},
		{124, 128, 0b10101111 ^ 0x55, 126},
		{128, 136, 0b10110000 ^ 0x55, 132},
		{248, 256, 0b10111111 ^ 0x55, 252},
		{256, 272, 0b11000000 ^ 0x55, 264},
		{496, 512, 0b11001111 ^ 0x55, 504},
		{512, 544, 0b11010000 ^ 0x55, 528},
		{992, 1024, 0b11011111 ^ 0x55, 1008},
		{1024, 1088, 0b11100000 ^ 0x55, 1056},
		{1984, 2048, 0b11101111 ^ 0x55, 2016},
		{2048, 2176, 0b11110000 ^ 0x55, 2112},
		{3968, 4096, 0b11111111 ^ 0x55, 4032},
	}},
}

func all16() []int16 {
	pcm := make([]int16, 1<<16)
	for i := range pcm {
		pcm[i] = int16(i + math.MinInt16)
	}
	return pcm
}

func (l law) code(v int) byte { return l.encode(nil, []int16{int16(v)})[0] }

func TestG711IsTheTableOfTheRecommendation(t *testing.T) {
	t.Parallel()
	for _, l := range laws {
		for _, r := range l.rows {
			for _, v := range []int{r.from * l.scale, r.to*l.scale - 1} {
				if got := l.code(v); got != r.code {
					t.Errorf("%s of %d = %08b, want %08b", l.name, v, got, r.code)
				}
				if got := l.code(-v); v != 0 && got != r.code&^0x80 {
					t.Errorf("%s of %d = %08b, want %08b", l.name, -v, got, r.code&^0x80)
				}
			}
			if got := l.decode([]byte{r.code, r.code &^ 0x80}); int(got[0]) != r.value*l.scale || int(got[1]) != -r.value*l.scale {
				t.Errorf("%s decodes %08b and its negative as %v, want %d", l.name, r.code, got, r.value*l.scale)
			}
		}
	}
}

// decisions are the decision values of the recommendation, from the first two columns of
// its tables: so many intervals of a size, one after the other.
func (l law) decisions() []int {
	groups := [][2]int{{32, 2}, {16, 4}, {16, 8}, {16, 16}, {16, 32}, {16, 64}, {16, 128}}
	if l.sox == "ul" {
		groups = [][2]int{{1, 1}, {15, 2}, {16, 4}, {16, 8}, {16, 16}, {16, 32}, {16, 64}, {16, 128}, {16, 256}}
	}
	all := []int{0}
	for _, g := range groups {
		for range g[0] {
			all = append(all, all[len(all)-1]+g[1]*l.scale)
		}
	}
	return all
}

func TestG711OfEverySample(t *testing.T) {
	t.Parallel()
	for _, l := range laws {
		decisions := l.decisions()
		if len(decisions) != 129 {
			t.Fatalf("%s has %d decision values, want 129", l.name, len(decisions))
		}
		interval := 0
		for v := range 1 << 15 {
			if interval < 127 && v == decisions[interval+1] {
				interval++
			}
			code := l.code(v)
			if got := int(^code & 0x7f); l.sox == "ul" && got != interval {
				t.Fatalf("%s of %d is of interval %d, want %d", l.name, v, got, interval)
			}
			if got := int(code^0x55) & 0x7f; l.sox == "al" && got != interval {
				t.Fatalf("%s of %d is of interval %d, want %d", l.name, v, got, interval)
			}
			value := int(l.decode([]byte{code})[0])
			if want := decisions[interval] + decisions[interval+1]; (interval > 0 || l.sox == "al") && 2*value != want {
				t.Fatalf("%s of %d stands for %d, want the middle of its interval, %d", l.name, v, value, want/2)
			}
			if v != 0 && l.code(-v) != code^0x80 {
				t.Errorf("%s of %d and of %d differ in more than the sign", l.name, v, -v)
			}
		}
		if got, want := l.code(math.MinInt16), l.code(-math.MaxInt16); got != want {
			t.Errorf("%s of the lowest sample is %#x, want %#x", l.name, got, want)
		}
	}
}

// TestG711Again: who decodes and encodes again, as gateways do, changes nothing more.
func TestG711Again(t *testing.T) {
	t.Parallel()
	for _, l := range laws {
		once := l.decode(l.encode(nil, all16()))
		if twice := l.decode(l.encode(nil, once)); !slices.Equal(once, twice) {
			t.Errorf("%s: encoding a second time changes the sound", l.name)
		}
	}
}

func TestG711Silence(t *testing.T) {
	t.Parallel()
	if got := laws[0].code(0); got != audio.SilenceMuLaw {
		t.Errorf("mu-law of silence = %#x, want %#x", got, audio.SilenceMuLaw)
	}
	if got := laws[1].code(0); got != audio.SilenceALaw {
		t.Errorf("A-law of silence = %#x, want %#x", got, audio.SilenceALaw)
	}
}

func TestG711Quality(t *testing.T) {
	t.Parallel()
	for _, l := range laws {
		for _, dBm0 := range []float64{0, -10, -20, -30} {
			tone := sine(1004, 32768*math.Pow(10, (dBm0-3.14)/20), 8000)
			amplitude, rest := fit(l.decode(l.encode(nil, tone)), 1004, 8000)
			// ITU-T G.712 demands 33 dB down to -30 dBm0, of a whole channel.
			if snr := dB(amplitude/math.Sqrt2, rest); snr < l.snr-1 {
				t.Errorf("%s: signal-to-noise ratio at %.0f dBm0 is %.1f dB, want %.1f", l.name, dBm0, snr, l.snr-1)
			}
		}
	}
}

func TestG711Appends(t *testing.T) {
	t.Parallel()
	for _, l := range laws {
		rapid.Check(t, func(t *rapid.T) {
			head, pcm := rapid.SliceOf(rapid.Byte()).Draw(t, "head"), rapid.SliceOf(rapid.Int16()).Draw(t, "pcm")
			got := l.encode(bytes.Clone(head), pcm)
			if !bytes.Equal(got[:len(head)], head) || len(got) != len(head)+len(pcm) || len(l.decode(got)) != len(got) {
				t.Fatalf("%s appends %d bytes to %d for %d samples", l.name, len(got)-len(head), len(head), len(pcm))
			}
		})
	}
}

// TestG711AgainstSox holds both directions to a program that we did not write. It rounds
// to 14 or 13 bits before it encodes, so next to a decision value it may go to the other
// side.
func TestG711AgainstSox(t *testing.T) {
	t.Parallel()
	sox, err := exec.LookPath("sox")
	if err != nil {
		t.Skip("sox is not installed")
	}
	run := func(in []byte, args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), sox, args...)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("sox %v: %v", args, err)
		}
		return out
	}
	pcm := all16()
	var raw []byte
	for _, v := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	for _, l := range laws {
		linear := []string{"-t", "raw", "-r", "8000", "-c", "1", "-e", "signed", "-b", "16", "-L", "-"}
		coded := []string{"-t", l.sox, "-r", "8000", "-c", "1", "-"}
		theirs := run(raw, append(append([]string{"-D"}, linear...), coded...)...)
		ours := l.encode(nil, pcm)
		if len(theirs) != len(ours) {
			t.Fatalf("sox encodes %d samples as %d bytes", len(pcm), len(theirs))
		}
		differ := 0
		ourValues, decisions := l.decode(ours), l.decisions()
		for i, v := range pcm {
			if ours[i] == theirs[i] {
				continue
			}
			differ++
			magnitude := max(int(v), -int(v))
			if !slices.ContainsFunc(decisions, func(d int) bool { return max(magnitude-d, d-magnitude) <= l.scale/2 }) {
				t.Errorf("%s of %d: ours is %#x, that of sox %#x, and no decision value is near", l.name, v, ours[i], theirs[i])
			}
		}
		t.Logf("%s: sox encodes %d of %d samples differently", l.name, differ, len(pcm))
		decoded := run(ours, append(append([]string{"-D"}, coded...), linear...)...)
		for i := range pcm {
			if got := int16(binary.LittleEndian.Uint16(decoded[2*i:])); got != ourValues[i] {
				t.Fatalf("%s: sox decodes %#x as %d, we as %d", l.name, ours[i], got, ourValues[i])
			}
		}
	}
}
