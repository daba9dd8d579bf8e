package tts

import (
	"time"
	"unicode"

	"tidings/internal/ssml"
)

const (
	// perWord is how long a word takes at the 165 words a minute that are usual for
	// announcements in English.
	perWord = time.Minute / 165

	// lettersPerWord is after how many letters a word counts as one more: nobody says a
	// number of twenty digits, or a German compound, in a third of a second.
	lettersPerWord = 12

	// perSyllable is how long a character takes where each is a syllable, and no spaces
	// show the words: Chinese, Japanese, Korean.
	perSyllable = 220 * time.Millisecond
)

// estimate guesses how long the pieces take to speak.
func estimate(pieces []ssml.Piece) time.Duration {
	var d time.Duration
	for part := range parts(pieces) {
		var words, rest time.Duration
		for _, p := range part {
			words += time.Duration(float64(estimateText(p.Text)) / times(p.Style.Rate))
			rest += p.Pause + p.Tone
		}
		if most := part[0].Style.Most; most > 0 {
			words = max(min(words, most-rest), words/maxHurry)
		}
		d += words + rest
	}
	return d
}

func estimateText(text string) time.Duration {
	var words, syllables, letters int
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
			syllables++
			letters = 0
		case unicode.IsLetter(r), unicode.IsDigit(r):
			if letters%lettersPerWord == 0 {
				words++
			}
			letters++
		case unicode.IsMark(r), r == '\'', r == '’':
			// Part of the word.
		default:
			letters = 0
		}
	}
	return time.Duration(words)*perWord + time.Duration(syllables)*perSyllable
}
