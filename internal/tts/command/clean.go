package command

import (
	"strings"
	"unicode"
)

// joiners decide in Persian and in the languages of India how letters look and sound.
const joiners = "\u200c\u200d"

// clean makes one line of a text: many programs speak line by line. What is no text, such as
// control characters, is left out; and "[[", which opens phoneme codes in the programs that
// have theirs from espeak-ng, Piper among them, is set apart.
func clean(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	var last rune
	for _, r := range strings.ToValidUTF8(text, "") {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsGraphic(r) && !strings.ContainsRune(joiners, r):
			continue
		}
		if r == last && (r == ' ' || r == '[') {
			if r == ' ' {
				continue
			}
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return strings.TrimSpace(b.String())
}
