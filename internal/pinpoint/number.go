package pinpoint

import (
	"context"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// Number is what can be known of a telephone number without asking anybody. What is not known
// is "".
type Number struct {
	Original        string // as the client gave it
	OriginalCountry string // ISO 3166 alpha-2, as the client gave it
	Type            string // MOBILE, LANDLINE, VOIP, INVALID, OTHER or PREPAID
	TypeCode        int    // 0 to 5, in that order
	E164            string // with the plus
	National        string // digits
	Country         string // in English
	CountryISO      string // ISO 3166 alpha-2
	CountryCode     string // of the telephone network, digits
	Carrier         string // to which the range was given; the number may have been ported
	City            string
	Timezone        string // of the IANA database, if the number can be in one only
}

// numberTypes are the words for types of numbers, by their codes.
// Source: Amazon Pinpoint API Reference, "Phone Number Validate", PhoneTypeCode.
var numberTypes = [...]string{"MOBILE", "LANDLINE", "VOIP", "INVALID", "OTHER", "PREPAID"}

const (
	mobileNumber = iota
	landlineNumber
	voipNumber
	invalidNumber
	otherNumber
)

// maxNumberLength bounds what is looked at, in bytes. It is ours.
const maxNumberLength = 64

// northAmerica is the country code within which the tables name a state where they know no
// city.
const northAmerica = 1

// lookupLanguage is the language of names.
const lookupLanguage = "en"

// ValidateNumber tells what is known of a telephone number. country is the ISO 3166 alpha-2
// code of the country that a number without a plus is in; "" = the number begins with the
// code of its country. A number that cannot exist is no fault: its Type says so.
//
// The tables are those of Google's libphonenumber. In countries whose plan does not tell
// mobile numbers from others, such as the US, the type is MOBILE.
func (s *Service) ValidateNumber(_ context.Context, _ tenant.Tenant, number, country string) (Number, error) {
	if strings.TrimSpace(number) == "" {
		return Number{}, fault.New(fault.Invalid, fault.PhoneNumber, "PhoneNumber is missing.")
	}
	if len(number) > maxNumberLength {
		return Number{}, fault.New(fault.Invalid, fault.PhoneNumber, "PhoneNumber has %d characters. At most %d are allowed.", len(number), maxNumberLength)
	}
	region := strings.ToUpper(country)
	if region != "" && !phonenumbers.GetSupportedRegions()[region] {
		return Number{}, fault.New(fault.Invalid, fault.PhoneNumber, "IsoCountryCode must be a code of two letters of ISO 3166, not %q.", shorten(country))
	}
	n := Number{Original: number, OriginalCountry: country}
	n.setType(invalidNumber)
	parsed := parseNumber(number, region)
	if parsed == nil {
		return n, nil
	}
	n.setType(numberType(parsed))
	n.E164 = phonenumbers.Format(parsed, phonenumbers.E164)
	n.National = phonenumbers.GetNationalSignificantNumber(parsed)
	n.CountryCode = strconv.Itoa(int(parsed.GetCountryCode()))
	n.CountryISO = phonenumbers.GetRegionCodeForNumber(parsed)
	if r, err := language.ParseRegion(n.CountryISO); err == nil {
		n.Country = display.English.Regions().Name(r)
	}
	// The library fails at nothing but its own tables; then nothing is known.
	n.Carrier, _ = phonenumbers.GetCarrierForNumber(parsed, lookupLanguage)
	if place, err := phonenumbers.GetGeocodingForNumber(parsed, lookupLanguage); err == nil && place != n.Country {
		city, _, state := strings.Cut(place, ",") // "Seattle, WA"
		if state || parsed.GetCountryCode() != northAmerica {
			n.City = city
		}
	}
	if zones, err := phonenumbers.GetTimezonesForNumber(parsed); err == nil && len(zones) == 1 && zones[0] != phonenumbers.UNKNOWN_TIMEZONE {
		n.Timezone = zones[0]
	}
	return n, nil
}

// parseNumber returns the number if it can exist, or nil.
func parseNumber(number, region string) *phonenumbers.PhoneNumber {
	if region != "" || strings.HasPrefix(strings.TrimSpace(number), "+") {
		if n, err := phonenumbers.Parse(number, region); err == nil && phonenumbers.IsValidNumber(n) {
			return n
		}
	}
	if n, err := phonenumbers.Parse("+"+strings.TrimLeft(number, " +"), ""); err == nil && phonenumbers.IsValidNumber(n) {
		return n
	}
	return nil
}

func (n *Number) setType(code int) { n.TypeCode, n.Type = code, numberTypes[code] }

func numberType(n *phonenumbers.PhoneNumber) int {
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return mobileNumber
	case phonenumbers.FIXED_LINE:
		return landlineNumber
	case phonenumbers.VOIP:
		return voipNumber
	case phonenumbers.TOLL_FREE, phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.PERSONAL_NUMBER,
		phonenumbers.PAGER, phonenumbers.UAN, phonenumbers.VOICEMAIL, phonenumbers.UNKNOWN:
	}
	return otherNumber
}
