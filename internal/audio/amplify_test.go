package audio_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/audio"
)

func TestAmplifyIsGainWhereItFits(t *testing.T) {
	t.Parallel()
	for _, dB := range []float64{-12, -0.5, 0, 6} {
		want := audio.Tone(440, -18, time.Second, 8000)
		got := slices.Clone(want)
		audio.Gain(want, dB)
		audio.Amplify(got, 8000, dB)
		if !slices.Equal(got, want) {
			t.Errorf("Amplify by %v dB is not Gain, though nothing gets above the ceiling", dB)
		}
	}
}

func TestAmplifyHoldsBackInsteadOfClipping(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		pcm := rapid.SliceOfN(rapid.Int16(), 1, 2000).Draw(r, "pcm")
		before := rms(pcm)
		dB := rapid.Float64Range(0, 40).Draw(r, "dB")
		audio.Amplify(pcm, 8000, dB)
		if got := peak(pcm); got > audio.Ceiling {
			r.Errorf("a sample of %d is above the ceiling", got)
		}
		if before > 0 && peak(pcm) == 0 {
			r.Errorf("sound became silence")
		}
	})
	pcm := audio.Tone(440, -6, time.Second, 8000)
	audio.Amplify(pcm, 8000, 20)
	if got := level(middle(pcm)); got < -0.5 || got > 0.2 {
		t.Errorf("a tone of -6 dBm0, 20 dB louder, has %.2f dBm0, want nearly 0.1, which has its peak at the ceiling", got)
	}
}
