package ssml

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

var months = strings.Fields("January February March April May June July August September October November December")

var (
	// yearMonthDay has a part of "?" where a date lacks it, as in the guide's "????0922".
	yearMonthDay = regexp.MustCompile(`^(\d{4}|\?{4})(\d{2}|\?{2})(\d{2}|\?{2})$`)
	dateForm     = regexp.MustCompile(`^(\d{1,4})(?:\s*[-/. ]\s*(\d{1,4}))?(?:\s*[-/. ]\s*(\d{1,4}))?$`)
)

// date writes a date out: "December thirty-first, nineteen ninety-nine".
func date(text, format, language string) string {
	text = strings.TrimSpace(text)
	parts := dateForm.FindStringSubmatch(text)
	if whole := yearMonthDay.FindStringSubmatch(text); whole != nil && (format == "" || format == "yyyymmdd") {
		parts, format = whole, "ymd"
	}
	if parts == nil {
		return text
	}
	numbers := parts[1:]
	switch format {
	case "":
		format = order(numbers, language)
	case "yyyymmdd":
		format = "ymd"
	}
	var day, month, year string
	for i, r := range format {
		if i == len(numbers) || numbers[i] == "" {
			return text
		}
		switch r {
		case 'd':
			day = strings.Trim(numbers[i], "?")
		case 'm':
			month = strings.Trim(numbers[i], "?")
		case 'y':
			year = strings.Trim(numbers[i], "?")
		}
	}
	if len(format) < len(numbers) && numbers[len(format)] != "" {
		return text // more numbers than the format has parts
	}
	return cmp.Or(dateWords(day, month, year, strings.HasPrefix(format, "d")), text)
}

// order guesses the format of a date of three numbers: by the one that has four figures, and by
// the country.
func order(numbers []string, language string) string {
	switch {
	case len(numbers[0]) == 4:
		return "ymd"
	case strings.EqualFold(language, "en-US"):
		return "mdy"
	}
	return "dmy"
}

// dateWords says the parts of a date that are there. It returns "" if they make no date.
func dateWords(day, month, year string, dayFirst bool) string {
	d, dayOK := part(day, 31)
	m, monthOK := part(month, 12)
	if !dayOK || !monthOK || day+month+year == "" {
		return ""
	}
	var words string
	switch {
	case d > 0 && m > 0 && dayFirst:
		words = "the " + ordinal(d) + " of " + months[m-1]
	case d > 0 && m > 0:
		words = months[m-1] + " " + ordinal(d)
	case d > 0:
		words = "the " + ordinal(d)
	case m > 0:
		words = months[m-1]
	}
	switch {
	case year == "":
		return words
	case words == "":
		return yearWords(year)
	case d == 0:
		return words + " " + yearWords(year)
	}
	return words + ", " + yearWords(year)
}

// part reads a day or a month; "" is 0.
func part(s string, most uint64) (n uint64, ok bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n >= 1 && n <= most
}

// yearWords says a year as people do: "nineteen oh five", "two thousand six", "twenty ten".
func yearWords(year string) string {
	n, _ := strconv.Atoi(year) // at most four figures
	switch {
	case len(year) == 2 && n < 10:
		return "oh " + ones[n]
	case n < 1000, n%1000 < 10:
		return cardinal(uint64(n))
	}
	return pairs(n)
}

// pairs says a number of three or four figures in two halves.
func pairs(n int) string {
	first, rest := cardinal(uint64(n/100)), n%100
	switch {
	case rest == 0:
		return first + " hundred"
	case rest < 10:
		return first + " oh " + ones[rest]
	}
	return first + " " + hundreds(rest)
}

var (
	durationForm = regexp.MustCompile(`^(?:(\d{1,4})['’′])?\s*(?:(\d{1,4})["”″])?$`)
	clockForm    = regexp.MustCompile(`(?i)^(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(?:([ap])\.?m\.?)?$`)
)

// clock writes minutes and seconds such as 1'21" out, and times of day such as 9:30am.
func clock(text string) string {
	text = strings.TrimSpace(text)
	if m := durationForm.FindStringSubmatch(text); m != nil {
		return strings.TrimSpace(counted(m[1], "minute") + " " + counted(m[2], "second"))
	}
	m := clockForm.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	second, _ := strconv.Atoi(m[3])
	if hour > 24 || minute > 59 || second > 59 {
		return text
	}
	words := cardinal(uint64(hour))
	switch {
	case minute == 0 && m[4] == "" && hour <= 12:
		words += " o'clock"
	case minute == 0 && m[4] == "":
		words += " hundred"
	case minute > 0 && minute < 10:
		words += " oh " + ones[minute]
	case minute > 0:
		words += " " + hundreds(minute)
	}
	if m[4] != "" {
		words += " " + strings.ToUpper(m[4]) + "M"
	}
	if second > 0 {
		words += " and " + counted(m[3], "second")
	}
	return words
}

// counted is a number of things in words: "one minute", "two minutes"; "" if there is none.
func counted(number, thing string) string {
	n, ok := figure(number)
	switch {
	case !ok:
		return ""
	case n != 1:
		thing += "s"
	}
	return cardinal(n) + " " + thing
}
