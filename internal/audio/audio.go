// Package audio works on sound as a list of samples: one channel, 16 bits, any rate. It
// changes rates and levels, makes tones, and turns samples into G.711 and back.
//
// Its functions keep no state and may be called concurrently. They know nothing of files,
// speech or calls.
//
// Levels are in dBm0, as telephony has them, or in dB below full scale (dBFS). Both
// encodings of ITU-T G.711 put a sine that fills the whole range a little above 3 dBm0.
package audio

import "math"

const (
	fullScale = 32768 // the amplitude of a sine that fills the range

	// sineLevel is the level of that sine in dBm0. ITU-T G.711, tables 1 and 2, gives 3.14
	// for A-law and 3.17 for mu-law; the difference cannot be heard, so one is taken.
	sineLevel = 3.14
)

// ratio is the factor of so many dB.
func ratio(dB float64) float64 { return math.Pow(10, dB/20) }

// peakOf is the amplitude of a sine of this level.
func peakOf(dBm0 float64) float64 { return fullScale * ratio(dBm0-sineLevel) }

// rmsOf is the root mean square of any sound of this level.
func rmsOf(dBm0 float64) float64 { return peakOf(dBm0) / math.Sqrt2 }

// round makes a sample of v: the nearest, or the largest there is.
func round(v float64) int16 {
	switch {
	case v >= math.MaxInt16:
		return math.MaxInt16
	case v <= math.MinInt16:
		return math.MinInt16
	case v < 0:
		return int16(v - 0.5)
	}
	return int16(v + 0.5)
}

// peak is the largest magnitude among the samples.
func peak(pcm []int16) int {
	most := 0
	for _, v := range pcm {
		most = max(most, int(v), -int(v))
	}
	return most
}
