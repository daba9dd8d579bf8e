package audio

// Amplify makes the samples louder by so many dB, or quieter if it is negative, in place, as
// Gain does. But what does not fit is not clipped: the loudest moments are kept below Ceiling.
// rate is in samples a second.
func Amplify(pcm []int16, rate int, dB float64) {
	factor := ratio(dB)
	if float64(peak(pcm))*factor <= Ceiling {
		Gain(pcm, dB)
		return
	}
	limit(pcm, rate, func(_ int, v int16) float64 { return float64(v) * factor })
}
