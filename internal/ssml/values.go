package ssml

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// values is what an attribute may be: one of some words, or of a form, or either.
type values struct {
	words []string
	form  string            // the form in words, for error texts and the documentation
	ok    func(string) bool // whether a value has the form; nil = there is only words
}

func (v values) allow(value string) bool {
	return slices.Contains(v.words, value) || v.ok != nil && v.ok(value)
}

// String lists what is allowed.
func (v values) String() string {
	switch {
	case v.form == "":
		return strings.Join(v.words, ", ")
	case len(v.words) == 0:
		return v.form
	}
	return strings.Join(v.words, ", ") + ", or " + v.form
}

func words(list string) values { return values{words: strings.Fields(list)} }

func (v values) or(form string, ok func(string) bool) values {
	return values{words: v.words, form: form, ok: ok}
}

func form(text string, ok func(string) bool) values { return values{form: text, ok: ok} }

var (
	anyText  = form("any text", func(string) bool { return true })
	someText = form("a text that is not empty", func(s string) bool { return strings.TrimSpace(s) != "" })
	language = form(`a language code such as "fr-FR"`, languageForm.MatchString)

	breakTime = form(`a time of at most 10 s, such as "3s" or "250ms"`, func(s string) bool {
		d, ok := parseTime(s)
		return ok && d <= MaxBreak
	})
	maxDuration = form(`a time above zero, such as "2s" or "2400ms"`, func(s string) bool {
		d, ok := parseTime(s)
		return ok && d > 0
	})

	volume = words("default silent x-soft soft medium loud x-loud").
		or(`a change such as "+6dB" or "-6dB"`, decibels.MatchString)
	rate = words("x-slow slow medium fast x-fast").
		or(`20% to 200% of the normal rate, such as "85%" or, as a change, "-15%"`, isRate)
	pitch = words("default x-low low medium high x-high").
		or(`a change such as "+10%" or "-10%"`, isChange)
	tractLength = form(`a change such as "+15%" or "-15%", or a share such as "110%"`, percent.MatchString)

	breathLength    = words("default x-short short medium long x-long")
	breathVolume    = words("default x-soft soft medium loud x-loud")
	breathFrequency = words("default x-low low medium high x-high")
)

var (
	languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	timeForm     = regexp.MustCompile(`^([0-9]*\.?[0-9]+)(ms|s)$`)
	decibels     = regexp.MustCompile(`^[+-][0-9]*\.?[0-9]+dB$`)
	percent      = regexp.MustCompile(`^([+-]?)([0-9]*\.?[0-9]+)%$`)
)

// parseTime reads a time such as "3s" or "250ms", rounded to whole milliseconds.
func parseTime(s string) (time.Duration, bool) {
	m := timeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, false
	}
	if m[2] == "s" {
		n *= 1000
	}
	const most = float64(math.MaxInt64 / int64(time.Millisecond))
	if n >= most {
		return 0, false
	}
	return time.Duration(math.Round(n)) * time.Millisecond, true
}

// isRate reports whether s is a speaking rate in percent. The guide's table has the share
// ("85%"), its examples under "Whispering" the change ("-10%"); both mean 20 % to 200 %.
func isRate(s string) bool {
	m := percent.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	n, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		return false
	}
	switch m[1] {
	case "+":
		n = 100 + n
	case "-":
		n = 100 - n
	}
	return n >= 20 && n <= 200
}

func isChange(s string) bool { return percent.MatchString(s) && (s[0] == '+' || s[0] == '-') }

// exactly allows one value, whatever white space separates its parts.
func exactly(value string) values {
	return form(fmt.Sprintf("%q", value), func(s string) bool {
		return strings.Join(strings.Fields(s), " ") == value
	})
}
