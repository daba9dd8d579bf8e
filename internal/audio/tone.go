package audio

import (
	"math"
	"time"
)

// ramp is how long a tone takes to come and to go, which keeps it from clicking.
const ramp = 5 * time.Millisecond

// Tone returns a sine of hz cycles a second and this level, for d at rate samples a
// second. It comes and goes softly, within 5 ms, or half of d if that is less. Above 3.14 dBm0 it is clipped.
// A tone that the rate cannot hold, of half the rate or more, is silence. A negative d or
// a rate that is not positive gives nothing.
func Tone(hz, dBm0 float64, d time.Duration, rate int) []int16 {
	if d <= 0 || rate <= 0 {
		return nil
	}
	pcm := make([]int16, int(d.Seconds()*float64(rate)))
	if hz < 0 || hz >= float64(rate)/2 {
		return pcm
	}
	amplitude := peakOf(dBm0)
	edge := min(samplesIn(ramp, rate), (len(pcm)+1)/2)
	for i := range pcm {
		v := amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
		if from := min(i, len(pcm)-1-i); from < edge {
			v *= (1 - math.Cos(math.Pi*(float64(from)+0.5)/float64(edge))) / 2
		}
		pcm[i] = round(v)
	}
	return pcm
}
