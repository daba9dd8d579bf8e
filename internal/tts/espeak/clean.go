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
//   - a full stop behind a symbol, such as "=.5", which crashes the Hindi voice of
//     version 1.51: the two are set apart
//   - numbers of more than maxDigits, which crash the Cantonese voice of 1.51: they are
//     read digit by digit
//   - words of more than maxWord bytes, which crash most voices of 1.51 if they have a full
//     stop inside: they are split
//
// All white space becomes spaces, so the text is one line.
func clean(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	var last rune
	word := 0 // bytes since the last space
	for i, r := range text {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case r == utf8.RuneError && invalid(text[i:]), !unicode.IsGraphic(r):
			continue
		case r == '[' && last == '[', r == '.' && unicode.IsSymbol(last), word+utf8.RuneLen(r) > maxWord:
			b.WriteByte(' ')
			word = 0
		}
		b.WriteRune(r)
		last = r
		if word += utf8.RuneLen(r); r == ' ' {
			word = 0
		}
	}
	return spellLongNumbers(b.String())
}

// maxWord is how many bytes may stand without a space between them. Chinese and Japanese
// have no spaces, but punctuation more often than this.
const maxWord = 120

// maxDigits is how many digits a number may have: up to 999 billion. What is longer is a
// code rather than an amount, and better understood digit by digit.
const maxDigits = 12

// spellLongNumbers sets the digits of long numbers apart.
func spellLongNumbers(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for text != "" {
		number := leadingDigits(text)
		if number == "" {
			next := strings.IndexFunc(text, unicode.IsDigit)
			if next < 0 {
				next = len(text)
			}
			b.WriteString(text[:next])
			text = text[next:]
			continue
		}
		text = text[len(number):]
		if utf8.RuneCountInString(number) > maxDigits {
			number = strings.Join(strings.Split(number, ""), " ")
		}
		b.WriteString(number)
	}
	return b.String()
}

func leadingDigits(s string) string {
	return s[:len(s)-len(strings.TrimLeftFunc(s, unicode.IsDigit))]
}

// plain reduces a text to words, numbers and the signs that make the melody. It is what is
// spoken when the program has crashed on more than that.
func plain(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsDigit(r):
			b.WriteRune(r)
		case strings.ContainsRune(".,?!।。、？！،؟", r):
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// invalid reports whether s starts with a byte that is not UTF-8.
func invalid(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size == 1
}
