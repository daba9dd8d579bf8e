package audio

import (
	"math"
	"time"
)

const (
	blockLength = time.Millisecond // the gain of the limiter is decided for each block
	reach       = 20               // blocks before and behind a peak that get quieter with it
)

// limit puts f of every sample in its place, turned down around the moments that would
// get above Ceiling. Since the whole sound is known, it turns down before a peak as softly
// as behind it: the gain follows a slope of 20 ms, which is neither heard as a click nor,
// as short as it is, as pumping.
func limit(pcm []int16, rate int, f func(i int, v int16) float64) {
	size := samplesIn(blockLength, rate)
	gains := make([]float64, (len(pcm)+size-1)/size)
	for b := range gains {
		most := 0.0
		for i := b * size; i < min((b+1)*size, len(pcm)); i++ {
			most = max(most, math.Abs(f(i, pcm[i])))
		}
		gains[b] = min(1, Ceiling/max(most, 1))
	}
	gains = slopes(gains)
	for i, v := range pcm {
		pcm[i] = round(f(i, v) * between(gains, (float64(i)+0.5)/float64(size)-0.5))
	}
}

// slopes makes a soft curve that is nowhere above the gains, nor above those of the blocks
// next to one, so that what lies between two blocks may be taken between their gains.
func slopes(gains []float64) []float64 {
	least := make([]float64, len(gains))
	for b := range gains {
		least[b] = 1
		for i := max(0, b-reach-1); i <= min(len(gains)-1, b+reach+1); i++ {
			least[b] = min(least[b], gains[i])
		}
	}
	// A mean of minima that all have seen block b is not above the gain of block b.
	curve := make([]float64, len(gains))
	for b := range curve {
		sum, n := 0.0, 0
		for i := max(0, b-reach); i <= min(len(least)-1, b+reach); i++ {
			sum += least[i]
			n++
		}
		curve[b] = sum / float64(n)
	}
	return curve
}

// between is the value of a curve at x, on a straight line from entry to entry.
func between(curve []float64, x float64) float64 {
	x = min(max(x, 0), float64(len(curve)-1))
	i := int(x)
	if i == len(curve)-1 {
		return curve[i]
	}
	return curve[i] + (curve[i+1]-curve[i])*(x-float64(i))
}
