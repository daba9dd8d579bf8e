package audio

import (
	"math"
	"time"
)

// The compressor's curve, from the level of the sound around a sample to the gain it gets.
// Levels are in dB below full scale. Between the points it is a straight line.
const (
	loud      = -9.0  // from here on nothing is raised
	soft      = -33.0 // down to here, 2 dB less of sound get 1 dB more of gain
	noise     = -60.0 // down to here, the gain goes back to nothing
	softBoost = (loud - soft) / 2

	moment  = 5 * time.Millisecond  // the level is measured every 5 ms, over three of these
	release = 60 * time.Millisecond // until about two thirds of a fall of the level are believed
)

// Compress lifts what is quiet in speech and leaves what is loud, in place, so that it is
// understood in noise: at a ratio of 2:1, by up to 12 dB. Pauses are not raised, and no
// sample gets above Ceiling. rate is in samples a second. It is what SSML means by
// <amazon:effect name="drc">.
func Compress(pcm []int16, rate int) {
	size := samplesIn(moment, rate)
	gains := boosts(framePowers(pcm, size))
	limit(pcm, rate, func(i int, v int16) float64 {
		return float64(v) * between(gains, (float64(i)+0.5)/float64(size)-0.5)
	})
}

// boosts is the gain of each moment, by the level of the sound around it.
func boosts(powers []float64) []float64 {
	fall := 1 - math.Exp(-moment.Seconds()/release.Seconds())
	gains := make([]float64, len(powers))
	level := 0.0
	for i := range powers {
		around := powers[max(0, i-1):min(len(powers), i+2)]
		power := 0.0
		for _, p := range around {
			power += p / float64(len(around))
		}
		// Up at once, since the moment before is in it already; down softly.
		level = max(power, level+(power-level)*fall)
		gains[i] = ratio(boost(10 * math.Log10(2*level/(fullScale*fullScale)+1e-12)))
	}
	return gains
}

// boost is the compressor's curve.
func boost(level float64) float64 {
	switch {
	case level >= loud:
		return 0
	case level >= soft:
		return (loud - level) / 2
	case level > noise:
		return softBoost * (level - noise) / (soft - noise)
	}
	return 0
}
