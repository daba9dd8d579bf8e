package voice

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"tidings/internal/fault"
)

// Phone is a phone number: digits, with a plus in front if the client gave one.
type Phone string

// A phone number has this many digits. The API asks for E.164 without demanding it.
// Source: the pattern of DestinationPhoneNumber in the SMS and Voice API, version 2,
// \+?[1-9][0-9]{1,18}.
const (
	minDigits = 2
	maxDigits = 19
)

// emergencyNumbers are refused as destinations: a machine that speaks must not hold up
// those who send help. 112 and 911 are what ITU-T E.161.1 recommends; the others are in
// use in more than one country (999 and 111 in the Commonwealth, 110, 119 and 120 in East
// Asia, 110, 117, 118 and 144 in Europe, 100 to 108 in South Asia and Eastern Europe, 190
// to 193 in South America). 000 and 08 cannot be given at all, since no number here begins
// with a zero.
var emergencyNumbers = []string{
	"112", "911", "999", "111", "110", "119", "120", "117", "118", "144",
	"100", "101", "102", "103", "104", "108", "190", "191", "192", "193",
}

// longestCountryCode is in digits. Source: ITU-T E.164, 6.2.1.
const longestCountryCode = 3

// parsePhone reads what the client gave as the member of that name. Spaces, dots, dashes
// and brackets are dropped. It fails with fault.Invalid; the text never repeats the
// number, since texts of faults are logged.
func parsePhone(member, s string) (Phone, error) {
	var b strings.Builder
	position := 0
	for _, r := range s {
		position++
		switch {
		case strings.ContainsRune(" .-()[]", r):
		case r >= '0' && r <= '9', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		default:
			return "", fault.New(fault.Invalid, fault.VoiceMessage,
				"%s has the character %q at position %d. A phone number has digits, with a plus in front or without.", member, r, position)
		}
	}
	p := Phone(b.String())
	digits := p.Digits()
	switch {
	case digits == "":
		return "", fault.New(fault.Invalid, fault.VoiceMessage, "%s must not be empty.", member)
	case digits[0] == '0':
		return "", fault.New(fault.Invalid, fault.VoiceMessage,
			"%s begins with 0. Write it in E.164 form, with the country code in front, such as +12065550100.", member)
	case len(digits) < minDigits || len(digits) > maxDigits:
		return "", fault.New(fault.Invalid, fault.VoiceMessage,
			"%s has %d digits. A phone number has %d to %d.", member, len(digits), minDigits, maxDigits)
	}
	return p, nil
}

// Digits returns the number without the plus.
func (p Phone) Digits() string { return strings.TrimPrefix(string(p), "+") }

// E164 returns the number with the plus, whether the client gave one or not. "" stays "".
func (p Phone) E164() string {
	if p == "" {
		return ""
	}
	return "+" + p.Digits()
}

// Mask returns the number with all but its first three and last two digits hidden, for
// logs: enough to recognize a number that one knows, and no more.
func (p Phone) Mask() string {
	const first, last = 3, 2
	digits := p.Digits()
	if len(digits) <= first+last {
		return strings.Repeat("*", len(digits))
	}
	return "+" + digits[:first] + strings.Repeat("*", len(digits)-first-last) + digits[len(digits)-last:]
}

// LogValue masks the number: only who asks for it has whole numbers in a log.
func (p Phone) LogValue() slog.Value { return slog.StringValue(p.Mask()) }

// emergency reports whether the number would reach an emergency service, also behind a
// country code: some trunks dial what follows it.
func (p Phone) emergency() bool {
	digits := p.Digits()
	return slices.ContainsFunc(emergencyNumbers, func(n string) bool {
		code, ok := strings.CutSuffix(digits, n)
		return ok && len(code) <= longestCountryCode
	})
}

// country returns the ISO 3166 alpha-2 code of the number's country, or "" if it is not
// known. A number that the country's plan does not have still belongs to the country if
// no other shares its country code.
func (p Phone) country() string {
	const nonGeographic = "001" // satellite phones and the like
	n, err := phonenumbers.Parse(p.E164(), "")
	if err != nil {
		return ""
	}
	region := phonenumbers.GetRegionCodeForNumber(n)
	if region == "" {
		if all := phonenumbers.GetRegionCodesForCountryCode(int(n.GetCountryCode())); len(all) == 1 {
			region = all[0]
		}
	}
	if region == nonGeographic {
		return ""
	}
	return region
}
