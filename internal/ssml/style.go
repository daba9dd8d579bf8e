package ssml

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Style is how a text is spoken. The zero value is the usual manner of the voice. Styles can
// be compared with ==.
type Style struct {
	Language string  // a language code as it was written; "" = that of the voice
	Rate     float64 // share of the normal rate, 0.2 to 2; 0 = 1
	Pitch    float64 // share of the normal pitch, 0.5 to 2; 0 = 1
	Gain     float64 // decibels, -60 to 20
	Tract    float64 // share of the normal length of the vocal tract, 0.5 to 2; 0 = 1
	Silent   bool    // takes its time, but is not heard
	Whisper  bool
	Soft     bool // spoken with little voice
	Compress bool // the range between soft and loud is narrowed
	// Group counts, from 1, the <prosody amazon:max-duration> around it, and Most is what
	// all pieces of that group together may last. 0 = there is none.
	Group int
	Most  time.Duration
}

// The bounds of a style. Those of rate and tract are from the Amazon Polly Developer Guide,
// "Supported SSML tags"; the others are ours, so that nested tags end somewhere.
const (
	minRate          = 0.2
	minPitch         = 0.5
	minTract         = 0.5
	maxShare         = 2 // of rate, pitch and tract
	minGain, maxGain = -60, 20
)

// What the words of <prosody> and the levels of <emphasis> mean. Polly names them, but not
// their values.
var (
	rateWords   = map[string]float64{"x-slow": 0.5, "slow": 0.75, "medium": 1, "fast": 1.5, "x-fast": 2}
	pitchWords  = map[string]float64{"default": 1, "x-low": 0.7, "low": 0.85, "medium": 1, "high": 1.2, "x-high": 1.4}
	volumeWords = map[string]float64{"default": 0, "x-soft": -12, "soft": -6, "medium": 0, "loud": 6, "x-loud": 12}

	emphases = map[string]struct{ rate, gain float64 }{
		"strong": {0.8, 5}, "moderate": {0.9, 3}, "reduced": {1.1, -4},
	}
)

// inside returns the style inside a tag whose surroundings have the style s. Words set a value,
// percentages and decibels change what is there.
func (s Style) inside(tag string, attrs map[string]string, language string) Style {
	switch tag {
	case "lang":
		s.Language = attrs["xml:lang"]
		if strings.EqualFold(s.Language, language) {
			s.Language = ""
		}
	case "emphasis":
		level := strings.ToLower(attrs["level"])
		if level == "" {
			level = "moderate"
		}
		s = s.faster(emphases[level].rate).louder(emphases[level].gain)
	case "amazon:effect":
		s = s.effect(attrs)
	case "prosody":
		s = s.prosody(attrs)
	}
	return s
}

func (s Style) effect(attrs map[string]string) Style {
	switch attrs["name"] {
	case "drc":
		s.Compress = true
	case "whispered":
		s.Whisper = true
	}
	if attrs["phonation"] == "soft" {
		s.Soft = true
	}
	if tract, ok := attrs["vocal-tract-length"]; ok {
		s.Tract = share(percentage(tract), minTract)
	}
	return s
}

func (s Style) prosody(attrs map[string]string) Style {
	switch rate, ok := attrs["rate"]; {
	case !ok, s.Group != 0, attrs["amazon:max-duration"] != "":
		// How long it may take decides how fast it is.
	case rateWords[rate] != 0:
		s.Rate = share(rateWords[rate], minRate)
	default:
		s = s.faster(percentage(rate))
	}
	switch pitch, ok := attrs["pitch"]; {
	case !ok:
	case pitchWords[pitch] != 0:
		s.Pitch = share(pitchWords[pitch], minPitch)
	default:
		s.Pitch = share(times(s.Pitch)*percentage(pitch), minPitch)
	}
	volume, ok := attrs["volume"]
	gain, word := volumeWords[volume]
	switch {
	case !ok:
	case volume == "silent":
		s.Silent = true
	case word:
		s.Silent, s.Gain = false, gain
	default:
		s = s.louder(decibelsOf(volume))
	}
	return s
}

func (s Style) faster(by float64) Style {
	s.Rate = share(times(s.Rate)*by, minRate)
	return s
}

func (s Style) louder(by float64) Style {
	s.Gain = min(max(rounded(s.Gain+by), minGain), maxGain)
	return s
}

// times is a share as a factor.
func times(share float64) float64 {
	if share == 0 {
		return 1
	}
	return share
}

// share is a factor as a Style keeps it: within bounds, rounded so that what is meant to
// be the same is the same, and 0 if it changes nothing.
func share(factor, least float64) float64 {
	factor = rounded(min(max(factor, least), maxShare))
	if factor == 1 {
		return 0
	}
	return factor
}

func rounded(f float64) float64 { return math.Round(f*1000) / 1000 }

// percentage reads "85%", "+15%" or "-15%" as a factor.
func percentage(s string) float64 {
	m := percent.FindStringSubmatch(s)
	if m == nil {
		return 1
	}
	n, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		n = 1e6 // more than any bound
	}
	switch m[1] {
	case "+":
		n = 100 + n
	case "-":
		n = 100 - n
	}
	return n / 100
}

// decibelsOf reads "+6dB".
func decibelsOf(s string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "dB"), 64)
	if err != nil && math.IsInf(n, 0) {
		return math.Copysign(1e6, n) // more than any bound
	}
	return n
}
