package tts

import (
	"math"
	"time"

	"tidings/internal/audio"
	"tidings/internal/ssml"
	"tidings/internal/tts/wav"
)

const (
	// silenceRate is the rate of speech that has no words.
	silenceRate = 8000

	// What replaces an expletive, and the loudest it gets.
	toneHertz   = 1000
	maxToneGain = 15 // decibels above the words

	// Soft phonation: less voice, so less of it, and less of its high tones.
	softGain  = -4   // decibels
	softHertz = 1200 // from here on the tones get weaker

	// tractStep is to what rates are rounded when a vocal tract gets another length, so
	// that the resampler needs only some hundred phases.
	tractStep = 50
)

// ssmlPlain is the style of what is not to be changed.
var ssmlPlain = ssml.Style{}

// mix puts pieces together. The zero value is empty.
//
// The order of the work decides what is heard: the words are brought to one level first, all
// together, and the volumes that a document asks for are added then. The other way round, a
// message that is loud as a whole would be brought back.
type mix struct {
	rate   int           // of the first sound; 0 = there was none yet
	length time.Duration // so far
	tracks []track
}

// track is a stretch of speech, or of nothing.
type track struct {
	words []int16       // none = a pause or a tone
	rest  time.Duration // how long that is
	tone  bool
	style ssml.Style
}

// add puts a piece behind the others. sound is that of its text.
func (m *mix) add(p ssml.Piece, sound wav.Sound) {
	if p.Text != "" {
		m.speech(sound, p.Style)
		return
	}
	m.tracks = append(m.tracks, track{rest: p.Pause + p.Tone, tone: p.Tone > 0, style: p.Style})
	m.length += p.Pause + p.Tone
}

func (m *mix) speech(sound wav.Sound, style ssml.Style) {
	if m.rate == 0 {
		m.rate = sound.Rate
	}
	sound = sound.Cut(max(0, MaxSpeech-m.length))
	words := sound.Int16()
	if sound.Rate != m.rate {
		words = audio.Resample(words, sound.Rate, m.rate)
	}
	m.tracks = append(m.tracks, track{words: words, style: style})
	m.length += wav.Duration(len(words), m.rate)
}

// finish levels the words, does to them what their styles ask for, and joins all. The
// result lasts at most MaxSpeech.
func (m *mix) finish() wav.Sound {
	if m.rate == 0 {
		m.rate = silenceRate
	}
	m.level()
	var whole []int16
	for _, t := range m.tracks {
		room := wav.Samples(MaxSpeech, m.rate) - len(whole)
		samples := m.play(t, room)
		whole = append(whole, samples[:min(len(samples), room)]...)
	}
	return wav.New(m.rate, whole)
}

// level brings all words that are heard to the level of speech, by one and the same gain, as if
// nothing stood between them.
func (m *mix) level() {
	var words []int16
	for _, t := range m.tracks {
		if !t.style.Silent {
			words = append(words, t.words...)
		}
	}
	audio.Normalize(words, m.rate)
	for i, t := range m.tracks {
		if n := len(t.words); n > 0 && !t.style.Silent {
			m.tracks[i].words = words[:n:n]
			words = words[n:]
		}
	}
}

// play returns the samples of a track, of pauses no more than room.
func (m *mix) play(t track, room int) []int16 {
	s := t.style
	switch {
	case len(t.words) == 0 && (!t.tone || s.Silent):
		return make([]int16, min(wav.Samples(t.rest, m.rate), room))
	case len(t.words) == 0:
		return audio.Tone(toneHertz, audio.SpeechLevel+min(s.Gain, maxToneGain), t.rest, m.rate)
	case s.Silent:
		return make([]int16, len(t.words))
	}
	gain := s.Gain
	if s.Soft {
		darken(t.words, m.rate)
		gain += softGain
	}
	if s.Compress {
		audio.Compress(t.words, m.rate)
	}
	if gain != 0 {
		audio.Amplify(t.words, m.rate, gain)
	}
	return t.words
}

// darken takes high tones away, 6 dB per octave, and keeps the low ones as they are.
func darken(pcm []int16, rate int) {
	share := 1 - math.Exp(-2*math.Pi*softHertz/float64(rate))
	last := 0.0
	for i, v := range pcm {
		last += (float64(v) - last) * share
		pcm[i] = int16(math.Round(last))
	}
}

// lengthened is the sound of a vocal tract that is longer by this share: all its tones are lower,
// and it lasts longer.
func lengthened(s wav.Sound, share float64) wav.Sound {
	if share == 0 {
		return s
	}
	from := tractStep * int(math.Round(float64(s.Rate)/share/tractStep))
	return wav.New(s.Rate, audio.Resample(s.Int16(), max(from, tractStep), s.Rate))
}
