package audio

import (
	"math"
	"time"
)

const (
	// SpeechLevel is what Normalize makes of the active speech level, in dBm0.
	SpeechLevel = -18

	// Ceiling is the highest magnitude of a sample that Normalize and Compress leave: 3 dB
	// below full scale.
	Ceiling = 23197

	margin  = 15.9 // dB below the active level, from where a frame is speech (ITU-T P.56, method B)
	silence = -65  // dBm0: a sound that is nowhere louder has no speech in it
	maxGain = 30   // dB: what needs more is noise for the most part

	frameLength = 20 * time.Millisecond
)

// Gain makes the samples louder by so many dB, or quieter if it is negative, in place.
// What does not fit is clipped.
func Gain(pcm []int16, dB float64) {
	factor := ratio(dB)
	for i, v := range pcm {
		pcm[i] = round(float64(v) * factor)
	}
}

// Normalize brings speech to SpeechLevel, in place; its loudest moments are kept below
// Ceiling. rate is in samples a second. Silence, and what is hardly louder, stays as it is,
// and nothing is raised by more than 30 dB.
//
// The active speech level is that of ITU-T P.56, method B, in a simpler form: the mean
// power of the frames of 20 ms that are at most 15.9 dB below it.
func Normalize(pcm []int16, rate int) {
	level, ok := speechLevel(pcm, rate)
	if !ok {
		return
	}
	factor := ratio(min(SpeechLevel-level, maxGain))
	if float64(peak(pcm))*factor <= Ceiling {
		for i, v := range pcm {
			pcm[i] = round(float64(v) * factor)
		}
		return
	}
	limit(pcm, rate, func(_ int, v int16) float64 { return float64(v) * factor })
}

// speechLevel measures the active speech level in dBm0. ok is false for silence.
func speechLevel(pcm []int16, rate int) (dBm0 float64, ok bool) {
	powers := framePowers(pcm, samplesIn(frameLength, rate))
	zero := rmsOf(0)
	least := math.Pow(rmsOf(silence), 2)
	// Each turn leaves out what is too quiet for the mean of the last. That raises the mean,
	// until nothing is left out any more.
	for before := 0; ; {
		sum, n := 0.0, 0
		for _, p := range powers {
			if p >= least {
				sum += p
				n++
			}
		}
		if n == 0 {
			return 0, false
		}
		mean := sum / float64(n)
		if n == before {
			return 20 * math.Log10(math.Sqrt(mean)/zero), true
		}
		before = n
		least = max(least, mean/math.Pow(10, margin/10))
	}
}

// framePowers are the mean squares of frames of n samples; a rest at the end counts as one.
func framePowers(pcm []int16, n int) []float64 {
	powers := make([]float64, 0, len(pcm)/n+1)
	for len(pcm) > 0 {
		frame := pcm[:min(n, len(pcm))]
		sum := 0.0
		for _, v := range frame {
			sum += float64(v) * float64(v)
		}
		powers = append(powers, sum/float64(len(frame)))
		pcm = pcm[len(frame):]
	}
	return powers
}

// samplesIn is how many samples d lasts, and at least one.
func samplesIn(d time.Duration, rate int) int {
	return max(1, int(d.Seconds()*float64(rate)))
}
