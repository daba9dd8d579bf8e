package tts

import (
	"iter"
	"strings"

	"tidings/internal/ssml"
	"tidings/internal/voice"
)

// phrase is how the engine is told to speak a text, hurry times as fast as it would be spoken.
//
// A longer vocal tract is made from the sound, by playing it slower. So it is spoken faster and
// higher by as much.
func phrase(p ssml.Piece, c voice.Content, hurry float64) Phrase {
	tract := times(p.Style.Tract)
	return Phrase{
		Text:     p.Text,
		Voice:    c.Voice,
		Language: languageOf(p.Style.Language, c.Language),
		Rate:     times(p.Style.Rate) * tract * hurry,
		Pitch:    times(p.Style.Pitch) * tract,
		Whisper:  p.Style.Whisper,
		Phonemes: p.Phonemes,
	}
}

// times is a share of a style as a factor.
func times(share float64) float64 {
	if share == 0 {
		return 1
	}
	return share
}

// parts cuts pieces into those that must be looked at together: the pieces of a
// <prosody amazon:max-duration>, and all others one by one.
func parts(pieces []ssml.Piece) iter.Seq[[]ssml.Piece] {
	return func(yield func([]ssml.Piece) bool) {
		for len(pieces) > 0 {
			n := 1
			for group := pieces[0].Style.Group; group != 0 && n < len(pieces) && pieces[n].Style.Group == group; {
				n++
			}
			if !yield(pieces[:n]) {
				return
			}
			pieces = pieces[n:]
		}
	}
}

// languageOf returns the language code of voice.Voices that a <lang> means, or fallback if no
// voice speaks that language. What has no region, or one that no voice has, is spoken
// as in the country that the language is named for.
func languageOf(code, fallback string) string {
	if code == "" {
		return fallback
	}
	base, _, _ := strings.Cut(strings.ToLower(code), "-")
	home := base + "-" + base
	switch base {
	case "en":
		home = "en-us"
	case "zh", "cmn":
		base, home = "cmn", "cmn-cn"
	case "ar", "arb":
		base, home = "ar", "arb"
	case "no", "nb":
		base, home = "nb", "nb-no"
	}
	var atHome, somewhere string
	for _, v := range voice.Voices() {
		for _, language := range v.Languages() {
			known := strings.ToLower(language)
			switch {
			case strings.EqualFold(known, code):
				return language
			case known == home:
				atHome = language
			case somewhere == "" && strings.HasPrefix(known, base+"-"):
				somewhere = language
			}
		}
	}
	switch {
	case atHome != "":
		return atHome
	case somewhere != "":
		return somewhere
	}
	return fallback
}
