package audio

import "slices"

const (
	// maxStored is how many coefficients are kept while a sound is resampled: one MiB.
	// All pairs of rates in use need a tenth of that.
	maxStored = 1 << 18

	// span is how many samples of the source are looked at together, so that they stay in
	// the processor's cache.
	span = 1 << 13
)

// Resample returns the sound at another rate, in samples a second. What lies above half
// the lower rate is gone: at 22,050 to 8,000 up to 3,400 Hz pass within 0.1 dB, 4,200 Hz
// and more are at least 60 dB down. The sound keeps its place in time, and its length
// within half a sample. Clipping is at the ends of the range.
//
// The result never shares memory with pcm. It is nil if a rate is not positive.
func Resample(pcm []int16, from, to int) []int16 {
	switch {
	case from <= 0 || to <= 0:
		return nil
	case from == to:
		return slices.Clone(pcm)
	}
	// Sample n of the result lies at n*step/parts of the source.
	divisor := gcd(from, to)
	out := make([]int16, (len(pcm)*to+from/2)/from)
	r := &resampler{pcm: pcm, filter: newFilter(from/divisor, to/divisor)}
	r.filter.store(len(out))
	// A stretch of the result needs about span samples of the source.
	stretch := max(1, span*to/from)
	for i := 0; i < len(out); i += stretch {
		r.fill(out[i:min(i+stretch, len(out))])
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// resampler goes through a sound.
type resampler struct {
	pcm    []int16
	filter *filter
	at     int       // the sample of the source at or before the next of the result
	phase  int       // and how far before: phase/parts
	window []float32 // the samples of the source around a stretch
}

// fill makes the next stretch of the result.
func (r *resampler) fill(out []int16) {
	f := r.filter
	whole, rest := f.step/f.parts, f.step%f.parts
	first := r.at - f.taps/2 + 1
	last := r.at + (r.phase+(len(out)-1)*f.step)/f.parts + f.taps/2
	r.load(first, last)
	for i := range out {
		at := r.at - f.taps/2 + 1 - first
		out[i] = round(float64(dot(r.window[at:at+f.taps], f.coefficients(r.phase))))
		r.at += whole
		if r.phase += rest; r.phase >= f.parts {
			r.phase -= f.parts
			r.at++
		}
	}
}

// load puts the samples from first to last into the window; around the sound is silence.
func (r *resampler) load(first, last int) {
	n := last - first + 1
	r.window = slices.Grow(r.window[:0], n)[:n]
	clear(r.window)
	begin, end := max(first, 0), min(last+1, len(r.pcm))
	for i := begin; i < end; i++ {
		r.window[i-first] = float32(r.pcm[i])
	}
}

// dot is the sum of the products. Four sums at a time keep the processor from waiting for
// each addition; the number of taps is a multiple of four.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	return s0 + s1 + s2 + s3
}
