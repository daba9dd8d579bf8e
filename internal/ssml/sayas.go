package ssml

import (
	"regexp"
	"strings"
	"unicode"
)

// sayAs writes a text out as <say-as> asks for, for a speech engine that reads it in the
// language of this code. Where it cannot tell what is meant, it leaves the text as it is.
//
// What is said one by one is so in every language. Words for numbers, dates and units are
// English; in other languages the engine reads the figures by itself.
func sayAs(as, format, language, text string) string {
	switch as {
	case "characters", "spell-out":
		return " " + spell(text, ", ") + " "
	case "digits":
		return " " + spell(text, " ") + " "
	case "telephone":
		return " " + telephone(text) + " "
	}
	if base, _, _ := strings.Cut(strings.ToLower(language), "-"); base != "en" {
		if as == "date" {
			return figures(text, format)
		}
		return text
	}
	switch as {
	case "cardinal", "number":
		return numberForm.ReplaceAllStringFunc(text, cardinalText)
	case "ordinal":
		return ordinalForm.ReplaceAllStringFunc(text, ordinalText)
	case "fraction":
		return fractions(text)
	case "unit":
		return units(text)
	case "date":
		return date(text, format, language)
	case "time":
		return clock(text)
	case "address":
		return address(text)
	}
	return text
}

// number is a number with commas and decimals. A sign belongs to it where no word or figure
// stands before the sign: "10-20" is a range.
const number = `(?:(?:^|[\s(])[+-])?\d[\d,]*(?:\.\d+)?`

var (
	numberForm  = regexp.MustCompile(number)
	ordinalForm = regexp.MustCompile(`\d[\d,]*(st|nd|rd|th)?\b`)
)

// spell sets every character apart.
func spell(text, between string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsSpace(r) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(between)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// telephone says digits one by one and rests where the number has a separator: engines
// read "2025551212" as two billion.
func telephone(text string) string {
	var b strings.Builder
	var last rune // the kind of the last character said: 'd'igit, 'l'etter; 0 = none
	rest := false
	for _, r := range text {
		kind := 'l'
		switch {
		case unicode.IsDigit(r):
			kind = 'd'
		case !unicode.IsLetter(r) && !unicode.IsMark(r):
			rest = true
			continue
		}
		switch {
		case last == 0:
		case rest || kind != last:
			b.WriteString(", ")
		case kind == 'd':
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last, rest = kind, false
	}
	return b.String()
}

// figures sets the parts of a date apart, so that no engine reads its signs: "12/31/1999" would
// be "twelve slash thirty-one slash". Their order stays.
func figures(text, format string) string {
	text = strings.TrimSpace(text)
	if whole := yearMonthDay.FindStringSubmatch(text); whole != nil && (format == "" || format == "yyyymmdd") {
		return strings.TrimSpace(strings.ReplaceAll(strings.Join(whole[1:], " "), "?", ""))
	}
	if parts := dateForm.FindStringSubmatch(text); parts != nil {
		return strings.TrimSpace(strings.Join(parts[1:], " "))
	}
	return text
}
