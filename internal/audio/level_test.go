package audio_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/audio"
)

func TestGain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		dB       float64
		in, want int16
	}{
		{0, 1000, 1000},
		{20, 1000, 10000},
		{-20, 1000, 100},
		{6.0206, 1000, 2000},
		{-6.0206, -1002, -501},
		{6.0206, 20000, 32767},
		{6.0206, -20000, -32768},
		{100, 1, 32767},
		{300, 0, 0},
		{math.Inf(-1), 30000, 0},
	} {
		pcm := []int16{tc.in}
		audio.Gain(pcm, tc.dB)
		if pcm[0] != tc.want {
			t.Errorf("Gain(%d, %v dB) = %d, want %d", tc.in, tc.dB, pcm[0], tc.want)
		}
	}
}

func TestNormalizeBringsToneToLevel(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 16000, 22050, 48000} {
		for _, from := range []float64{-45, -30, -18, -6, 0, 3} {
			pcm := audio.Tone(1004, from, time.Second, rate)
			audio.Normalize(pcm, rate)
			if got := level(middle(pcm)); math.Abs(got-audio.SpeechLevel) > 0.2 {
				t.Errorf("a tone of %v dBm0 at %d Hz becomes %.2f dBm0, want %d", from, rate, got, audio.SpeechLevel)
			}
		}
	}
}

// TestNormalizeIgnoresPauses: the level is that of the words, however long the pauses are.
func TestNormalizeIgnoresPauses(t *testing.T) {
	t.Parallel()
	words := babble(t, 3*time.Second, 8000, 6000)
	alone := slices.Clone(words)
	audio.Normalize(alone, 8000)
	paused := slices.Concat(make([]int16, 40_000), words, make([]int16, 80_000))
	for i := range paused {
		paused[i] += int16(i % 3) // a little noise
	}
	audio.Normalize(paused, 8000)
	if d := dB(rms(paused[40_000:40_000+len(words)]), rms(alone)); math.Abs(d) > 0.1 {
		t.Errorf("with pauses, the words come out %+.2f dB other than without", d)
	}
	if got := level(middle(alone)); got > audio.SpeechLevel || got < audio.SpeechLevel-6 {
		t.Errorf("the words with their short pauses are at %.1f dBm0, want a little less than %d", got, audio.SpeechLevel)
	}
}

func TestNormalizeLeavesSilence(t *testing.T) {
	t.Parallel()
	hiss := make([]int16, 8000)
	for i := range hiss {
		hiss[i] = int16(i*7%13 - 6)
	}
	for name, pcm := range map[string][]int16{"nothing": nil, "zeros": make([]int16, 8000), "hiss": hiss} {
		want := slices.Clone(pcm)
		audio.Normalize(pcm, 8000)
		if !slices.Equal(pcm, want) {
			t.Errorf("Normalize changes %s", name)
		}
	}
}

func TestNormalizeRaisesNoiseOnlySoFar(t *testing.T) {
	t.Parallel()
	pcm := audio.Tone(500, -60, time.Second, 8000)
	audio.Normalize(pcm, 8000)
	if got := level(middle(pcm)); math.Abs(got+30) > 0.5 {
		t.Errorf("a tone of -60 dBm0 becomes %.1f dBm0, want -30", got)
	}
}

// TestNormalizeLimits: a sound with a loud moment is turned down around it, softly, and
// nowhere else.
func TestNormalizeLimits(t *testing.T) {
	t.Parallel()
	const rate, at = 8000, 12_000
	pcm := audio.Tone(300, -25, 3*time.Second, rate)
	for i := at; i < at+40; i++ { // 5 ms
		pcm[i] = int16(30000 * math.Sin(float64(i)))
	}
	in := slices.Clone(pcm)
	audio.Normalize(pcm, rate)
	if got := peak(pcm); got > audio.Ceiling || got < audio.Ceiling-300 {
		t.Errorf("the loudest sample is %d, want just below %d", got, audio.Ceiling)
	}
	gain := func(from int) float64 { return rms(pcm[from:from+80]) / rms(in[from:from+80]) }
	usual := gain(2000)
	if lowest := gain(at); dB(usual, lowest) < 3 {
		t.Fatalf("the moment is turned down by %.1f dB only: the test tests nothing", dB(usual, lowest))
	}
	for from := 400; from < len(pcm)-480; from += 80 {
		if away := max(at-from-80, from-at-40); away > 45*8 && math.Abs(dB(gain(from), usual)) > 0.1 {
			t.Errorf("%d ms away from the moment the gain is %+.2f dB off", away/8, dB(gain(from), usual))
		}
		if step := dB(gain(from+80), gain(from)); math.Abs(step) > 6 {
			t.Errorf("the gain leaps by %.1f dB within 10 ms at sample %d", step, from)
		}
	}
}

func TestLevelsNeverOverflow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pcm := rapid.SliceOfN(rapid.Int16(), 0, 2000).Draw(t, "pcm")
		rate := rapid.SampledFrom([]int{-1, 0, 1, 50, 8000, 22050, 192000}).Draw(t, "rate")
		for name, change := range map[string]func([]int16){
			"Normalize": func(s []int16) { audio.Normalize(s, rate) },
			"Compress":  func(s []int16) { audio.Compress(s, rate) },
			"Gain":      func(s []int16) { audio.Gain(s, rapid.Float64Range(-400, 400).Draw(t, "dB")) },
		} {
			got := slices.Clone(pcm)
			change(got)
			for i, v := range got {
				if int(v)*int(pcm[i]) < 0 {
					t.Fatalf("%s turns %d into %d", name, pcm[i], v)
				}
			}
			if most := peak(got); name != "Gain" && most > audio.Ceiling && !slices.Equal(got, pcm) {
				t.Fatalf("%s leaves a sample of %d, want %d at most", name, most, audio.Ceiling)
			}
		}
	})
}

func TestCompress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want float64 }{ // dBFS of a sine
		{-6, -6}, {-9, -9}, {-15, -12}, {-21, -15}, {-33, -21}, {-60, -60}, {-70, -70},
	} {
		for _, rate := range []int{8000, 22050} {
			pcm := audio.Tone(1000, tc.in+3.14, time.Second, rate)
			audio.Compress(pcm, rate)
			if got := level(middle(pcm)) - 3.14; math.Abs(got-tc.want) > 0.5 {
				t.Errorf("Compress makes %.1f dBFS of %.1f at %d Hz, want about %.1f", got, tc.in, rate, tc.want)
			}
		}
	}
}

// TestCompressBringsSpeechTogether: of two passages, the quiet one comes nearer to the loud
// one, and the pauses stay what they are.
func TestCompressBringsSpeechTogether(t *testing.T) {
	t.Parallel()
	loud, quiet := babble(t, 2*time.Second, 22050, 12_000), babble(t, 2*time.Second, 22050, 1200)
	pause := make([]int16, 22050)
	pcm := slices.Concat(loud, quiet, pause)
	audio.Compress(pcm, 22050)
	newLoud, newQuiet := rms(pcm[:len(loud)]), rms(pcm[len(loud):len(loud)+len(quiet)])
	if was, now := dB(rms(loud), rms(quiet)), dB(newLoud, newQuiet); now > was-7 || now < was/2-1 {
		t.Errorf("the passages are %.1f dB apart, and then %.1f, want about half", was, now)
	}
	if d := dB(newLoud, rms(loud)); d < 0 || d > 6 {
		t.Errorf("the loud passage changes by %+.1f dB, want a little more", d)
	}
	if peak(pcm[len(loud)+len(quiet):]) != 0 {
		t.Error("the pause does not stay silent")
	}
}

func TestTone(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 22050} {
		for _, hz := range []float64{425, 1000, 3500} {
			pcm := audio.Tone(hz, -10, time.Second, rate)
			if len(pcm) != rate {
				t.Errorf("a second has %d samples, want %d", len(pcm), rate)
			}
			amplitude, rest := fit(middle(pcm), hz, rate)
			if got := dB(amplitude, 32768) + 3.14; math.Abs(got+10) > 0.01 || dB(amplitude, rest) < 70 {
				t.Errorf("Tone(%v, -10) at %d Hz is at %.2f dBm0 with %.1f dB of noise below it", hz, rate, got, dB(amplitude, rest))
			}
			if pcm[0] != 0 || max(pcm[1], -pcm[1]) > 200 || max(pcm[rate-1], -pcm[rate-1]) > 200 {
				t.Errorf("Tone(%v) begins with %d, %d and ends with %d: it clicks", hz, pcm[0], pcm[1], pcm[rate-1])
			}
		}
	}
	if got := peak(audio.Tone(1000, 20, time.Second, 8000)); got != 32767 && got != 32768 {
		t.Errorf("a tone of 20 dBm0 has a peak of %d, want full scale", got)
	}
	for _, hz := range []float64{4000, 5000, -1} {
		if pcm := audio.Tone(hz, 0, time.Second, 8000); peak(pcm) != 0 || len(pcm) != 8000 {
			t.Errorf("Tone(%v) at 8,000 Hz has a peak of %d, want silence", hz, peak(pcm))
		}
	}
	for _, d := range []time.Duration{-1, 0, time.Nanosecond, 125 * time.Microsecond, time.Millisecond} {
		if got, want := len(audio.Tone(440, 0, d, 8000)), max(0, int(d/(125*time.Microsecond))); got != want {
			t.Errorf("Tone of %v has %d samples, want %d", d, got, want)
		}
	}
	if got := audio.Tone(440, 0, time.Second, 0); got != nil {
		t.Errorf("Tone at no rate = %d samples, want none", len(got))
	}
}
