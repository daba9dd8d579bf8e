package ssml

import (
	"strings"
	"testing"
)

// sayAsExamples stand in docs/ssml.md as well, for a voice that speaks en-US.
var sayAsExamples = []struct{ as, format, text, want string }{
	{"characters", "", "ab1", "a, b, 1"},
	{"spell-out", "", "ab1", "a, b, 1"},
	{"digits", "", "1234", "1 2 3 4"},
	{"telephone", "", "+1 (202) 555-1212", "1, 2 0 2, 5 5 5, 1 2 1 2"},
	{"cardinal, number", "", "1,234", "one thousand two hundred thirty-four"},
	{"cardinal, number", "", "-5.25", "minus five point two five"},
	{"ordinal", "", "21", "twenty-first"},
	{"ordinal", "", "3rd", "third"},
	{"fraction", "", "3/20", "three twentieths"},
	{"fraction", "", "2+1/2", "two and one half"},
	{"unit", "", "6ft", "six feet"},
	{"unit", "", "1/2inch", "one half inch"},
	{"unit", "", "2.5 kg", "two point five kilograms"},
	{"date", "mdy", "12/31/1999", "December thirty-first, nineteen ninety-nine"},
	{"date", "dmy", "31.12.2006", "the thirty-first of December, two thousand six"},
	{"date", "ymd", "2010-1-2", "January second, twenty ten"},
	{"date", "md", "9/22", "September twenty-second"},
	{"date", "dm", "22-9", "the twenty-second of September"},
	{"date", "ym", "1905/10", "October nineteen oh five"},
	{"date", "my", "10-1900", "October nineteen hundred"},
	{"date", "d", "3", "the third"},
	{"date", "m", "3", "March"},
	{"date", "y", "2024", "twenty twenty-four"},
	{"date", "yyyymmdd", "20260102", "January second, twenty twenty-six"},
	{"date", "", "????0922", "September twenty-second"},
	{"date", "", "12/31/1999", "December thirty-first, nineteen ninety-nine"},
	{"time", "", `1'21"`, "one minute twenty-one seconds"},
	{"time", "", "9:30am", "nine thirty AM"},
	{"time", "", "14:05", "fourteen oh five"},
	{"address", "", "350 5th Ave. NW, Boston, MA 02101", "three fifty 5th Avenue Northwest, Boston, MA 0 2 1 0 1"},
}

func TestSayAsExamples(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range sayAsExamples {
		for as := range strings.SplitSeq(e.as, ", ") {
			seen[as], seen[e.format] = true, true
			if got := strings.TrimSpace(sayAs(as, e.format, "en-US", e.text)); got != e.want {
				t.Errorf("sayAs(%q, %q, %q) = %q, want %q", as, e.format, e.text, got, e.want)
			}
		}
	}
	row, _ := find("say-as")
	for _, a := range row.attributes {
		for _, word := range a.values.words {
			if !seen[word] && word != "expletive" {
				t.Errorf("no example for %s=%q", a.name, word)
			}
		}
	}
}

func TestSayAs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ as, format, language, text, want string }{
		{"digits", "", "de-DE", "12 34", "1 2 3 4"},
		{"telephone", "", "fr-FR", "2025551212x345", "2 0 2 5 5 5 1 2 1 2, x, 3 4 5"},
		{"characters", "", "", "é漢", "é, 漢"},

		{"number", "", "en-GB", "0", "zero"},
		{"number", "", "en-GB", "100 1000 1000000 1001", "one hundred one thousand one million one thousand one"},
		{"number", "", "en-GB", "999999999999999999", "nine hundred ninety-nine quadrillion nine hundred ninety-nine trillion nine hundred ninety-nine billion nine hundred ninety-nine million nine hundred ninety-nine thousand nine hundred ninety-nine"},
		{"number", "", "en-GB", "1234567890123456789", "one two three four five six seven eight nine zero one two three four five six seven eight nine"},
		{"number", "", "en-GB", "10-20 or 7, (-3) +4", "ten-twenty or seven, (minus three) plus four"},
		{"number", "", "en-GB", "12,34", "one two three four"},
		{"number", "", "en-GB", "no figures", "no figures"},
		{"number", "", "de-DE", "1.234", "1.234"},

		{"ordinal", "", "en-US", "1 2 3 5 8 9 12 20 100", "first second third fifth eighth ninth twelfth twentieth one hundredth"},
		{"ordinal", "", "en-US", "1,000,012th", "one million twelfth"},
		{"ordinal", "", "de-DE", "3.", "3."},

		{"fraction", "", "en-US", "½", "one half"},
		{"fraction", "", "en-US", "1½", "one and one half"},
		{"fraction", "", "en-US", "1/4 3/4 5/2 1/3", "one quarter three quarters five halves one third"},
		{"fraction", "", "en-US", "5 3/4", "five and three quarters"},
		{"fraction", "", "en-US", "1/0 1/1 2/101 3/1000", "one over zero one over one two over one hundred one three one thousandths"},

		{"unit", "", "en-US", "1ft 5 km/h 20°C 5% 7 stones", "one foot five kilometers per hour twenty degrees Celsius five percent seven stones"},
		{"unit", "", "en-US", "meter", "meter"},
		{"unit", "", "en-US", "kg", "kilogram"},
		{"unit", "", "en-US", "3+1/2 mi", "three and one half miles"},

		{"date", "mdy", "en-US", "13/31/1999", "13/31/1999"},
		{"date", "mdy", "en-US", "tomorrow", "tomorrow"},
		{"date", "mdy", "en-US", "12/31", "12/31"},
		{"date", "md", "en-US", "12/31/1999", "12/31/1999"},
		{"date", "mdy", "en-US", "1/2/05", "January second, oh five"},
		{"date", "mdy", "en-US", "1/2/99", "January second, ninety-nine"},
		{"date", "yyyymmdd", "en-US", "1999-12-31", "December thirty-first, nineteen ninety-nine"},
		{"date", "yyyymmdd", "en-US", "2026????", "twenty twenty-six"},
		{"date", "", "en-US", "????????", "????????"},
		{"date", "", "en-US", "1999-12-31", "December thirty-first, nineteen ninety-nine"},
		{"date", "", "en-GB", "2/3/2000", "the second of March, two thousand"},
		{"date", "mdy", "de-DE", "12/31/1999", "12 31 1999"},
		{"date", "", "de-DE", "????0922", "09 22"},
		{"date", "dm", "fr-FR", "demain", "demain"},

		{"time", "", "en-US", "1'", "one minute"},
		{"time", "", "en-US", `2"`, "two seconds"},
		{"time", "", "en-US", "9:00", "nine o'clock"},
		{"time", "", "en-US", "14:00", "fourteen hundred"},
		{"time", "", "en-US", "9:00 p.m.", "nine PM"},
		{"time", "", "en-US", "9:05:01", "nine oh five and one second"},
		{"time", "", "en-US", "25:00", "25:00"},
		{"time", "", "en-US", "soon", "soon"},
		{"time", "", "de-DE", "9:30", "9:30"},

		{"address", "", "en-US", "221B St. James St, Apt 4, 90210-1234", "two twenty-one B Saint James Street, Apartment four, 9 0 2 1 0 1 2 3 4"},
		{"address", "", "en-US", "5 Main St., St. Louis", "five Main Street, Saint Louis"},
		{"address", "", "en-US", "1600 N 1000 2005", "sixteen hundred North one thousand twenty oh five"},
		{"address", "", "fr-FR", "5 Dr Roux", "5 Dr Roux"},
	} {
		if got := strings.TrimSpace(sayAs(tc.as, tc.format, tc.language, tc.text)); got != tc.want {
			t.Errorf("sayAs(%q, %q, %q, %q) = %q, want %q", tc.as, tc.format, tc.language, tc.text, got, tc.want)
		}
	}
}

// TestUnitNames keeps the table of units within what the pattern finds.
func TestUnitNames(t *testing.T) {
	t.Parallel()
	for sign, name := range unitNames {
		if got := units("1" + sign); got != "one "+name[0] {
			t.Errorf("units(%q) = %q, want %q", "1"+sign, got, "one "+name[0])
		}
		if sign != strings.ToLower(sign) {
			t.Errorf("the sign %q is not in lower case", sign)
		}
	}
}

func TestSAMPALength(t *testing.T) {
	t.Parallel()
	for sign, ipa := range sampa {
		if len(sign) > longestSAMPA {
			t.Errorf("the sign %q is longer than longestSAMPA", sign)
		}
		if got := fromSAMPA(sign); got != ipa {
			t.Errorf("fromSAMPA(%q) = %q, want %q", sign, got, ipa)
		}
	}
}
