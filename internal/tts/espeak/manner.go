package espeak

import (
	"math"
	"strconv"
	"strings"

	"tidings/internal/tts"
)

// How espeak-ng is told to speak. Rates are in words a minute.
const (
	normalRate  = 175  // of espeak-ng, when it is told none
	slowestRate = 80   // what is less is as slow as this
	fastestRate = 1750 // ours: ten times the normal rate cannot be understood, nor can more

	// Below the slowest rate, words are set apart. A unit of -g at that rate is so long, the
	// first ones make up for what is lost where a word ends. Measured with version 1.51.
	gapUnit   = 29  // milliseconds
	gapOffset = 50  // milliseconds
	wordLasts = 270 // milliseconds, of a word of usual length at the normal rate
	slowest   = 0.477
)

// pitches are shares of the normal pitch at every tenth step of -p, whose normal is 50 and
// whose last is 99. Measured with version 1.51; all voices are within two percent.
var pitches = [...]float64{0.65, 0.70, 0.76, 0.83, 0.905, 1, 1.10, 1.22, 1.37, 1.52, 1.69}

// manner are the options for the rate, the pitch and the whisper of a phrase, and the name of the
// variant that speaks it.
func manner(p tts.Phrase, v variant) (name string, options []string) {
	name = v.name
	switch woman := strings.HasPrefix(name, "f"); {
	case p.Whisper && woman:
		name = "whisperf"
	case p.Whisper:
		name = "whisper"
	}
	if step := pitchStep(v, p.Pitch); step != "50" {
		options = append(options, "-p", step)
	}
	if p.Rate != 0 && p.Rate != 1 {
		rate := min(max(math.Round(normalRate*p.Rate), slowestRate), fastestRate)
		options = append(options, "-s", strconv.Itoa(int(rate)))
	}
	if gap := gap(p.Rate); gap > 0 {
		options = append(options, "-g", strconv.Itoa(gap))
	}
	return name, options
}

// gap is how far words are set apart to be slower than the slowest rate, in units of -g.
func gap(rate float64) int {
	if rate == 0 || rate >= slowest {
		return 0
	}
	lacking := wordLasts * (1/max(rate, 0.1) - 1/slowest)
	return max(0, int(math.Round((lacking-gapOffset)/gapUnit)))
}

// pitchStep is the value of -p that a phrase of a voice is spoken with.
func pitchStep(v variant, pitch float64) string {
	if pitch == 0 || pitch == 1 {
		return v.step()
	}
	own, _ := strconv.Atoi(v.step())
	low := pitches[own/10]
	pitch *= low + (pitches[own/10+1]-low)*float64(own%10)/10
	for i, high := range pitches[1:] {
		if low := pitches[i]; pitch < high {
			step := float64(10*i) + 10*max(0, pitch-low)/(high-low)
			return strconv.Itoa(min(99, int(math.Round(step))))
		}
	}
	return "99"
}
