package ssml

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	ones = strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen " +
		"fourteen fifteen sixteen seventeen eighteen nineteen")
	tens   = strings.Fields("- - twenty thirty forty fifty sixty seventy eighty ninety")
	scales = []string{"", " thousand", " million", " billion", " trillion", " quadrillion"}
)

// mostFigures is how many figures a number may have to be read as one: what is longer is a
// code, and is said figure by figure.
const mostFigures = 18

// cardinal is a number in words: "one thousand two hundred thirty-four".
func cardinal(n uint64) string {
	if n == 0 {
		return ones[0]
	}
	var groups []string
	for i := 0; n > 0 && i < len(scales); i++ {
		if group := n % 1000; group > 0 {
			groups = append([]string{hundreds(int(group)) + scales[i]}, groups...)
		}
		n /= 1000
	}
	return strings.Join(groups, " ")
}

// hundreds is a number from 1 to 999 in words.
func hundreds(n int) string {
	switch {
	case n >= 100 && n%100 == 0:
		return ones[n/100] + " hundred"
	case n >= 100:
		return ones[n/100] + " hundred " + hundreds(n%100)
	case n < len(ones):
		return ones[n]
	case n%10 == 0:
		return tens[n/10]
	}
	return tens[n/10] + "-" + ones[n%10]
}

var ordinalEnds = map[string]string{
	"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
	"nine": "ninth", "twelve": "twelfth",
}

// ordinal is a number in words, as a rank: "twenty-first".
func ordinal(n uint64) string {
	words := cardinal(n)
	at := strings.LastIndexAny(words, " -") + 1
	last := words[at:]
	switch end, special := ordinalEnds[last]; {
	case special:
		last = end
	case strings.HasSuffix(last, "y"):
		last = strings.TrimSuffix(last, "y") + "ieth"
	default:
		last += "th"
	}
	return words[:at] + last
}

// figure reads figures with or without commas between thousands.
func figure(s string) (n uint64, ok bool) {
	if !grouped.MatchString(s) {
		return 0, false
	}
	s = strings.ReplaceAll(s, ",", "")
	if len(s) > mostFigures {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

var grouped = regexp.MustCompile(`^(\d+|\d{1,3}(,\d{3})+)$`)

// cardinalText writes a number with sign and decimals out.
func cardinalText(s string) string {
	var words []string
	start := strings.IndexAny(s, "+-0123456789")
	before := s[:start]
	switch s[start] {
	case '-':
		words = append(words, "minus")
		start++
	case '+':
		words = append(words, "plus")
		start++
	}
	s = s[start:]
	whole, decimals, point := strings.Cut(s, ".")
	trailing := ""
	if cut := strings.TrimRight(whole, ","); cut != whole && !point { // "in 1,234, or": the last comma is the sentence's
		whole, trailing = cut, whole[len(cut):]
	}
	if n, ok := figure(whole); ok {
		words = append(words, cardinal(n))
	} else {
		words = append(words, oneByOne(whole))
	}
	if point {
		words = append(words, "point", oneByOne(decimals))
	}
	return before + strings.Join(words, " ") + trailing
}

// ordinalText writes "3" and "3rd" out as a rank.
func ordinalText(s string) string {
	if n, ok := figure(strings.TrimRight(s, "stndrh")); ok {
		return ordinal(n)
	}
	return s
}

// oneByOne names every figure.
func oneByOne(s string) string {
	var words []string
	for _, r := range s {
		if r >= '0' && r <= '9' {
			words = append(words, ones[r-'0'])
		}
	}
	return strings.Join(words, " ")
}

// glyphs are the fractions that Unicode has a character for.
var glyphs = strings.NewReplacer("½", " 1/2", "⅓", " 1/3", "⅔", " 2/3", "¼", " 1/4", "¾", " 3/4", "⅕", " 1/5",
	"⅖", " 2/5", "⅗", " 3/5", "⅘", " 4/5", "⅙", " 1/6", "⅚", " 5/6", "⅛", " 1/8", "⅜", " 3/8", "⅝", " 5/8", "⅞", " 7/8")

var fractionForm = regexp.MustCompile(`(?:(\d+)(?:\s*\+\s*|\s+))?(\d+)\s*/\s*(\d+)`)

// fractions writes "3/20" and "2+1/2" out.
func fractions(text string) string {
	return fractionForm.ReplaceAllStringFunc(glyphs.Replace(text), func(s string) string {
		m := fractionForm.FindStringSubmatch(s)
		over, ok := figure(m[2])
		under, ok2 := figure(m[3])
		if !ok || !ok2 {
			return s
		}
		words := fraction(over, under)
		if whole, ok := figure(m[1]); ok {
			words = cardinal(whole) + " and " + words
		}
		return words
	})
}

// fraction is a fraction in words: "three twentieths".
func fraction(over, under uint64) string {
	name := ordinal(under)
	switch {
	case under < 2 || under > 100 && under%100 != 0:
		return cardinal(over) + " over " + cardinal(under)
	case under == 2 && over == 1:
		return "one half"
	case under == 2:
		return cardinal(over) + " halves"
	case under == 4:
		name = "quarter"
	}
	if over != 1 {
		name += "s"
	}
	return cardinal(over) + " " + name
}
