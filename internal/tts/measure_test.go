package tts_test

import (
	"math"
	"slices"

	"tidings/internal/tts/wav"
)

// frame is a stretch of sound that is measured by itself.
const frameSeconds = 0.04

// frames cuts sound into stretches and leaves out those that are nearly silent.
func frames(s wav.Sound) [][]float64 {
	pcm := s.Int16()
	size := int(frameSeconds * float64(s.Rate))
	var found [][]float64
	for start := 0; start+size <= len(pcm); start += size / 2 {
		frame := make([]float64, size)
		for i, v := range pcm[start : start+size] {
			frame[i] = float64(v)
		}
		if level(frame) > 300 {
			found = append(found, frame)
		}
	}
	return found
}

// level is the root of the mean square.
func level(frame []float64) float64 {
	var sum float64
	for _, v := range frame {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(frame)))
}

// loudness is the level of a sound as a whole, in decibels.
func loudness(s wav.Sound) float64 {
	var sum float64
	pcm := s.Int16()
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(pcm)))
}

// pitch is the median of the fundamental frequency of the frames that have one, in Hz,
// and the share of frames that have one: about two thirds in speech, hardly any in a whisper.
func pitch(s wav.Sound) (hz, voiced float64) {
	var found []float64
	all := frames(s)
	for _, f := range all {
		if lag, strength := period(f, s.Rate/450, s.Rate/50); strength > 0.6 {
			found = append(found, float64(s.Rate)/float64(lag))
		}
	}
	if len(found) == 0 {
		return 0, 0
	}
	slices.Sort(found)
	return found[len(found)/2], float64(len(found)) / float64(len(all))
}

// period is the shift at which a frame is most like itself, and how much, up to 1.
func period(f []float64, least, most int) (lag int, strength float64) {
	most = min(most, len(f)*2/3)
	for shift := least; shift < most; shift++ {
		var ab, aa, bb float64
		for i := range len(f) - shift {
			a, b := f[i], f[i+shift]
			ab += a * b
			aa += a * a
			bb += b * b
		}
		// A longer shift must be clearly better, or twice the period would win as often.
		if like := ab / math.Sqrt(aa*bb+1); like > strength*1.05 {
			lag, strength = shift, like
		}
	}
	return lag, strength
}
