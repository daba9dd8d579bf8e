package voice

import (
	"strings"
	"testing"

	"tidings/internal/fault"
)

func TestParsePhone(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Phone{
		"+12065550100":         "+12065550100",
		"12065550100":          "12065550100",
		" +1 (206) 555-01.00 ": "+12065550100",
		"+[49] 30 123":         "+4930123",
		"12":                   "12",
		"1234567890123456789":  "1234567890123456789",
	} {
		if got, err := parsePhone("N", in); got != want || err != nil {
			t.Errorf("parsePhone(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestParsePhoneRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                      "N must not be empty.",
		" - ":                   "N must not be empty.",
		"+":                     "N must not be empty.",
		"012065550100":          "N begins with 0. Write it in E.164 form, with the country code in front, such as +12065550100.",
		"1":                     "N has 1 digits. A phone number has 2 to 19.",
		"12345678901234567890":  "N has 20 digits. A phone number has 2 to 19.",
		"1+2065550100":          `N has the character '+' at position 2. A phone number has digits, with a plus in front or without.`,
		"++12065550100":         `N has the character '+' at position 2. A phone number has digits, with a plus in front or without.`,
		"+1\r\nX":               `N has the character '\r' at position 3. A phone number has digits, with a plus in front or without.`,
		"+1206555é":             `N has the character 'é' at position 9. A phone number has digits, with a plus in front or without.`,
		"sip:+1206555@evil.org": `N has the character 's' at position 1. A phone number has digits, with a plus in front or without.`,
	} {
		_, err := parsePhone("N", in)
		if f := fault.From(err); err == nil || f.Kind != fault.Invalid || f.Msg != want {
			t.Errorf("parsePhone(%q) = %v, want %q", in, err, want)
		}
	}
}

func FuzzParsePhone(f *testing.F) {
	for _, s := range []string{"+12065550100", "(206) 555-0100", "+", "0", "１２"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePhone("N", s)
		if err != nil {
			return
		}
		if d := p.Digits(); strings.Trim(d, "0123456789") != "" || d[0] == '0' || len(d) < minDigits || len(d) > maxDigits {
			t.Errorf("parsePhone(%q) = %q", s, p)
		}
		if again, err := parsePhone("N", string(p)); again != p || err != nil {
			t.Errorf("parsePhone(%q) = %q, %v, want it unchanged", p, again, err)
		}
	})
}

func TestCountry(t *testing.T) {
	t.Parallel()
	for number, want := range map[Phone]string{
		"+12065550100":      "US",
		"12065550100":       "US",
		"+14165550100":      "CA",
		"+18765551234":      "JM",
		"+442079460000":     "GB",
		"+4930123456":       "DE",
		"+4900000":          "DE", // no such number, but nobody else has 49
		"+8613800138000":    "CN",
		"+85221234567":      "HK",
		"+61491570156":      "AU",
		"+15555550100":      "", // no such area code, and 25 countries share 1
		"+881612345678":     "", // a satellite phone
		"+999123":           "",
		"12":                "",
		"+1206555010012345": "",
	} {
		if got := number.country(); got != want {
			t.Errorf("country of %s = %q, want %q", number, got, want)
		}
	}
}

func TestEmergency(t *testing.T) {
	t.Parallel()
	for number, want := range map[Phone]bool{
		"911": true, "112": true, "999": true, "110": true, "+1911": true, "+49112": true, "+353999": true,
		"+12065550911": false, "+14255550112": false, "91": false, "+1234911": false,
	} {
		if got := number.emergency(); got != want {
			t.Errorf("emergency(%s) = %v, want %v", number, got, want)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for number, want := range map[Phone]string{
		"+12065550100": "+120******00", "12065550100": "+120******00", "911": "***", "": "",
	} {
		if got := number.Mask(); got != want {
			t.Errorf("Mask(%s) = %q, want %q", number, got, want)
		}
	}
}
