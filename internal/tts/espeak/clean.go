package espeak

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean takes out of a text what espeak-ng would not read but obey, or crash on:
//
//   - control characters: 0x01 and the like start embedded commands
//   - "[[", which opens phoneme codes: the brackets are set apart
//   - private use, which it uses itself for what it has parsed
//   - bidirectional and other format characters, unassigned ones, invalid UTF-8
//
// All white space becomes spaces, so the text is one line.
func clean(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	var last rune
	for i, r := range text {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case r == utf8.RuneError && invalid(text[i:]), !unicode.IsGraphic(r):
			continue
		case r == '[' && last == '[':
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// invalid reports whether s starts with a byte that is not UTF-8.
func invalid(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size == 1
}
