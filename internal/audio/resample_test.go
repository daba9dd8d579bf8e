package audio_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/audio"
)

// The rates of engines and of telephony.
var pairs = [][2]int{
	{22050, 8000},
	{24000, 8000},
	{16000, 8000},
	{44100, 8000},
	{48000, 8000},
	{11025, 8000},
	{32000, 8000},
	{8000, 22050},
	{8000, 16000},
	{8000, 48000},
	{22050, 16000},
	{44100, 48000},
	{24000, 22050},
	{22051, 8000},
}

func TestResampleLetsTheVoicePass(t *testing.T) {
	t.Parallel()
	for _, p := range pairs {
		top := 3400.0 / 4000 * float64(min(p[0], p[1])) / 2
		for _, hz := range []float64{top / 50, top / 10, top / 3.5, top / 2, top * 0.8, top * 0.9, top} {
			in := sine(hz, 20000, p[0])
			got, rest := fit(middle(audio.Resample(in, p[0], p[1])), hz, p[1])
			if d := dB(got, 20000); math.Abs(d) > 0.1 {
				t.Errorf("%d to %d: %.0f Hz comes out at %+.3f dB, want within 0.1 dB", p[0], p[1], hz, d)
			}
			if snr := dB(20000/math.Sqrt2, rest); snr < 75 {
				t.Errorf("%d to %d: %.0f Hz has a signal-to-noise ratio of %.1f dB, want 75 at least", p[0], p[1], hz, snr)
			}
		}
	}
}

func TestResampleSuppressesAliases(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		hz   float64
		want float64 // dB, at most
	}{
		{4200, -60},
		{4300, -75},
		{4600, -80},
		{5000, -80},
		{6000, -80},
		{7000, -80},
		{7900, -80},
		{8100, -80},
		{9000, -80},
		{10900, -80},
		{12100, -80},
		{15900, -80},
		{20000, -80},
		{23900, -80},
	} {
		for _, from := range []int{16000, 22050, 24000, 44100, 48000, 22051} {
			if tc.hz >= float64(from)/2 {
				continue
			}
			got := rms(middle(audio.Resample(sine(tc.hz, 30000, from), from, 8000)))
			if d := dB(max(got, 0.01), 30000/math.Sqrt2); d > tc.want {
				t.Errorf("%d to 8000: %.0f Hz leaves %.1f dB, want %.0f at most", from, tc.hz, d, tc.want)
			}
		}
	}
}

func TestResampleSuppressesImages(t *testing.T) {
	t.Parallel()
	for _, to := range []int{16000, 22050, 48000} {
		for _, hz := range []float64{300, 1004, 2500, 3400} {
			_, rest := fit(middle(audio.Resample(sine(hz, 30000, 8000), 8000, to)), hz, to)
			if d := dB(rest, 30000/math.Sqrt2); d > -80 {
				t.Errorf("8000 to %d: beside %.0f Hz there is %.1f dB, want -80 at most", to, hz, d)
			}
		}
	}
}

func TestResampleKeepsTheQualityOf16Bits(t *testing.T) {
	t.Parallel()
	for _, p := range pairs {
		_, rest := fit(middle(audio.Resample(sine(1004, 20000, p[0]), p[0], p[1])), 1004, p[1])
		if snr := dB(20000/math.Sqrt2, rest); snr < 85 {
			t.Errorf("%d to %d: signal-to-noise ratio of 1,004 Hz is %.1f dB, want 85 at least", p[0], p[1], snr)
		}
	}
}

func TestResampleKeepsTheTime(t *testing.T) {
	t.Parallel()
	for _, p := range pairs {
		in := make([]int16, p[0])
		in[p[0]/4] = 30000 // a click after a quarter of a second
		out := audio.Resample(in, p[0], p[1])
		at := slices.Index(out, slices.Max(out))
		if d := math.Abs(float64(at) - float64(p[1])*float64(p[0]/4)/float64(p[0])); d > 1 {
			t.Errorf("%d to %d: a click moves by %.1f samples, want 1 at most", p[0], p[1], d)
		}
	}
}

func TestResampleKeepsAConstant(t *testing.T) {
	t.Parallel()
	for _, p := range pairs {
		in := slices.Repeat([]int16{12345}, p[0]/2)
		for i, v := range middle(audio.Resample(in, p[0], p[1])) {
			if v < 12344 || v > 12346 {
				t.Fatalf("%d to %d: sample %d of a constant 12345 is %d", p[0], p[1], i, v)
			}
		}
	}
}

// TestResampleByStretches: a long sound is made in stretches; none shows.
func TestResampleByStretches(t *testing.T) {
	t.Parallel()
	long := babble(t, 3*time.Second, 22050, 20000)
	whole := audio.Resample(long, 22050, 8000)
	for at := 0; at+8000 <= len(whole); at += 1000 {
		// A multiple of 441 samples of the source is a multiple of 160 of the result.
		cut := at / 160
		part := audio.Resample(long[cut*441:min(len(long), (cut+60)*441)], 22050, 8000)
		if !slices.Equal(part[200:7000], whole[cut*160+200:cut*160+7000]) {
			t.Fatalf("the sound from sample %d on differs when it is resampled alone", cut*160)
		}
	}
}

func TestResampleOddCases(t *testing.T) {
	t.Parallel()
	in := []int16{1, 2, 3}
	for _, rates := range [][2]int{{0, 8000}, {8000, 0}, {-1, 8000}, {8000, -1}} {
		if got := audio.Resample(in, rates[0], rates[1]); got != nil {
			t.Errorf("Resample from %d to %d = %v, want nil", rates[0], rates[1], got)
		}
	}
	same := audio.Resample(in, 8000, 8000)
	same[0] = 9
	if in[0] != 1 || len(same) != 3 {
		t.Errorf("Resample to the same rate = %v sharing memory with %v, want a copy", same, in)
	}
	for _, p := range [][2]int{{192000, 1}, {1, 20000}, {8000, 7999}, {7919, 104729}} {
		if got, want := len(audio.Resample(in, p[0], p[1])), (3*p[1]+p[0]/2)/p[0]; got != want {
			t.Errorf("Resample of 3 samples from %d to %d = %d samples, want %d", p[0], p[1], got, want)
		}
	}
}

func TestResampleProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.IntRange(1, 50_000).Draw(t, "from"), rapid.IntRange(1, 50_000).Draw(t, "to")
		longest := min(500, 1+2000*from/to)
		in := rapid.SliceOfN(rapid.Int16(), 0, longest).Draw(t, "in")
		out := audio.Resample(in, from, to)
		if want := float64(len(in)) * float64(to) / float64(from); math.Abs(float64(len(out))-want) > 1 {
			t.Fatalf("%d samples become %d, want %.1f", len(in), len(out), want)
		}
		// What is loud on both sides must not wrap: a constant of full scale stays above half of it.
		full := audio.Resample(slices.Repeat([]int16{math.MaxInt16}, longest), from, to)
		for i, v := range full {
			if v < -16384 {
				t.Fatalf("sample %d of full scale became %d", i, v)
			}
		}
	})
}

// TestResampleClips: a square wave of full scale overshoots, and has to stay at the top.
func TestResampleClips(t *testing.T) {
	t.Parallel()
	in := make([]int16, 22050)
	for i := range in {
		in[i] = math.MaxInt16
		if i/200%2 == 1 {
			in[i] = math.MinInt16
		}
	}
	out := audio.Resample(in, 22050, 8000)
	for i := 8; i < len(out)-8; i++ {
		// In the middle of each half there is no zero crossing: no sign may flip.
		if at := float64(i) * 22050 / 8000; math.Mod(at, 200) > 30 && math.Mod(at, 200) < 170 && (int(at)/200%2 == 1) != (out[i] < 0) {
			t.Fatalf("sample %d is %d: it has wrapped", i, out[i])
		}
	}
	if slices.Max(out) != math.MaxInt16 || slices.Min(out) != math.MinInt16 {
		t.Errorf("the square wave is between %d and %d, want it at both ends of the range", slices.Min(out), slices.Max(out))
	}
}

func ExampleResample() {
	sound := audio.Tone(440, -18, time.Second, 22050)
	fmt.Println(len(audio.Resample(sound, 22050, 8000)))
	// Output: 8000
}
