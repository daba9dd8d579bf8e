package audio_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"tidings/internal/audio"
)

// fit finds the sine of hz that is in the samples: its amplitude, and the root mean square
// of all the rest.
func fit(pcm []int16, hz float64, rate int) (amplitude, rest float64) {
	var ss, cc, sc, ys, yc float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		ss, cc, sc = ss+s*s, cc+c*c, sc+s*c
		ys, yc = ys+float64(v)*s, yc+float64(v)*c
	}
	det := ss*cc - sc*sc
	a, b := (ys*cc-yc*sc)/det, (yc*ss-ys*sc)/det
	sum := 0.0
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		d := float64(v) - a*s - b*c
		sum += d * d
	}
	return math.Hypot(a, b), math.Sqrt(sum / float64(len(pcm)))
}

// middle leaves out the ends, where a filter still sees the silence around a sound.
func middle(pcm []int16) []int16 { return pcm[len(pcm)/10 : len(pcm)*9/10] }

func rms(pcm []int16) float64 {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(len(pcm), 1)))
}

func dB(a, b float64) float64 { return 20 * math.Log10(a/b) }

// level is the level of a sound without pauses in dBm0.
func level(pcm []int16) float64 { return dB(rms(pcm), 32768/math.Sqrt2) + 3.14 }

func peak(pcm []int16) int {
	most := 0
	for _, v := range pcm {
		most = max(most, int(v), -int(v))
	}
	return most
}

// sine is a fifth of a second of an unramped sine.
func sine(hz, amplitude float64, rate int) []int16 {
	pcm := make([]int16, rate/5)
	for i := range pcm {
		pcm[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return pcm
}

// babble is something like speech: syllables of noise, three a second, with a pause after
// every second; it is the same in every run.
func babble(tb testing.TB, d time.Duration, rate int, amplitude float64) []int16 {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	pcm := make([]int16, int(d.Seconds()*float64(rate)))
	last := 0.0
	for i := range pcm {
		at := float64(i) / float64(rate)
		envelope := math.Pow(math.Sin(math.Pi*3*at), 2)
		if math.Mod(at, 1.5) > 1 {
			envelope = 0
		}
		last = 0.8*last + 0.6*random.NormFloat64()/3
		pcm[i] = int16(max(-32768, min(32767, amplitude*envelope*last)))
	}
	return pcm
}

var sink []int16

func BenchmarkResample(b *testing.B) {
	for name, rates := range map[string][2]int{
		"22050-8000": {22050, 8000}, "24000-8000": {24000, 8000}, "16000-8000": {16000, 8000}, "8000-22050": {8000, 22050},
		"44100-8000": {44100, 8000}, "48000-8000": {48000, 8000}, "22051-8000": {22051, 8000},
	} {
		b.Run(name, func(b *testing.B) {
			measure(b, rates[0], func(pcm []int16) { sink = audio.Resample(pcm, rates[0], rates[1]) })
		})
	}
}

func BenchmarkNormalize(b *testing.B) {
	measure(b, 8000, func(pcm []int16) { audio.Normalize(pcm, 8000) })
}

func BenchmarkNormalizeLimiting(b *testing.B) {
	loud := babble(b, 10*time.Second, 8000, 30000)
	for i := 0; i < len(loud); i += 4000 {
		loud[i] = 32767
	}
	for b.Loop() {
		pcm := append([]int16(nil), loud...)
		audio.Normalize(pcm, 8000)
	}
	perSecond(b, 10*time.Second)
}

func BenchmarkCompress(b *testing.B) {
	measure(b, 22050, func(pcm []int16) { audio.Compress(pcm, 22050) })
}

func BenchmarkMuLaw(b *testing.B) {
	var coded []byte
	measure(b, 8000, func(pcm []int16) { coded = audio.AppendMuLaw(coded[:0], pcm) })
}

func BenchmarkMuLawDecode(b *testing.B) {
	coded := audio.AppendMuLaw(nil, babble(b, 10*time.Second, 8000, 20000))
	for b.Loop() {
		sink = audio.MuLaw(coded)
	}
	perSecond(b, 10*time.Second)
}

// measure says how many seconds of sound work gets done with in a second.
func measure(b *testing.B, rate int, work func(pcm []int16)) {
	b.Helper()
	const length = 10 * time.Second
	pcm := babble(b, length, rate, 20000)
	b.ReportAllocs()
	for b.Loop() {
		work(pcm)
	}
	perSecond(b, length)
}

func perSecond(b *testing.B, length time.Duration) {
	b.Helper()
	b.ReportMetric(length.Seconds()*float64(b.N)/b.Elapsed().Seconds(), "x-real-time")
}
