package audio

import (
	"math"
	"sync"
)

// The low-pass is a sinc under a Kaiser window. With these numbers 3,400 Hz of telephony
// pass and what would fold back into the voice does not.
const (
	crossings = 24   // of the sinc on each side, at the lower rate
	beta      = 9    // of the window: the stop band is 90 dB down
	cutoff    = 0.94 // the -6 dB point, as a part of half the lower rate
	grain     = 1024 // entries of the table per crossing: what is between is off by less than -120 dB
)

// kernel is one side of the low-pass, the same for all rates.
var kernel = sync.OnceValue(func() []float64 {
	table := make([]float64, crossings*grain+2) // the last two are zero
	for i := range crossings * grain {
		x := float64(i) / grain
		edge := x / crossings
		table[i] = sinc(cutoff*x) * bessel(beta*math.Sqrt(1-edge*edge))
	}
	return table
})

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// bessel is the modified Bessel function of the first kind and order zero, by its series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= x / 2 / k * (x / 2 / k)
		sum += term
	}
	return sum
}

// filter is the low-pass for one pair of rates.
type filter struct {
	step, parts int       // a sample of the result is step/parts samples of the source behind the last
	taps        int       // coefficients per phase
	scale       float64   // crossings of the kernel per sample of the source
	stored      []float32 // the coefficients of all phases; nil = they are made as they are needed
	scratch     []float32
}

func newFilter(step, parts int) *filter {
	f := &filter{step: step, parts: parts, scale: min(1, float64(parts)/float64(step))}
	f.taps = (2*int(math.Ceil(crossings/f.scale)) + 3) / 4 * 4
	return f
}

// store makes the coefficients of all phases, if they will be used often enough.
func (f *filter) store(outputs int) {
	if f.parts > outputs || f.parts > maxStored/f.taps {
		f.scratch = make([]float32, f.taps)
		return
	}
	f.stored = make([]float32, f.parts*f.taps)
	for phase := range f.parts {
		f.design(phase, f.stored[phase*f.taps:(phase+1)*f.taps])
	}
}

// coefficients are those of a phase. They are good until the next call.
func (f *filter) coefficients(phase int) []float32 {
	if f.stored != nil {
		return f.stored[phase*f.taps : (phase+1)*f.taps]
	}
	f.design(phase, f.scratch)
	return f.scratch
}

// design computes the coefficients of a phase. Their sum is one, so that a constant stays
// what it is in all phases.
func (f *filter) design(phase int, c []float32) {
	table := kernel()
	at := float64(f.taps/2-1) + float64(phase)/float64(f.parts) // of the result, among the taps
	sum := 0.0
	for i := range c {
		x := min(math.Abs(float64(i)-at)*f.scale, crossings) * grain
		below := int(x)
		v := table[below] + (table[below+1]-table[below])*(x-float64(below))
		c[i] = float32(v)
		sum += v
	}
	for i := range c {
		c[i] = float32(float64(c[i]) / sum)
	}
}
