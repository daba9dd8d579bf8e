package pinpoint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func TestValidateNumber(t *testing.T) {
	t.Parallel()
	tests := []struct {
		number, country string
		want            Number
	}{
		// Source: AWS CLI Command Reference, "pinpoint phone-number-validate", the sample, whose
		// carrier, city and postal code no public table has.
		{"+12065550142", "", Number{
			Type: "MOBILE", TypeCode: 0, E164: "+12065550142", National: "2065550142", Country: "United States",
			CountryISO: "US", CountryCode: "1", Timezone: "America/Los_Angeles",
		}},
		{"(206) 555-0142", "us", Number{
			Type: "MOBILE", TypeCode: 0, E164: "+12065550142", National: "2065550142", Country: "United States",
			CountryISO: "US", CountryCode: "1", Timezone: "America/Los_Angeles",
		}},
		{"12065550142", "", Number{
			Type: "MOBILE", TypeCode: 0, E164: "+12065550142", National: "2065550142", Country: "United States",
			CountryISO: "US", CountryCode: "1", Timezone: "America/Los_Angeles",
		}},
		{"+12127361234", "", Number{
			Type: "MOBILE", TypeCode: 0, E164: "+12127361234", National: "2127361234", Country: "United States",
			CountryISO: "US", CountryCode: "1", City: "New York", Timezone: "America/New_York",
		}},
		{"4930123456", "US", Number{ // the number has its country in front, whatever the other member says
			Type: "LANDLINE", TypeCode: 1, E164: "+4930123456", National: "30123456", Country: "Germany",
			CountryISO: "DE", CountryCode: "49", City: "Berlin", Timezone: "Europe/Berlin",
		}},
		{"0151 23456789", "DE", Number{
			Type: "MOBILE", TypeCode: 0, E164: "+4915123456789", National: "15123456789", Country: "Germany",
			CountryISO: "DE", CountryCode: "49", Carrier: "T-Mobile", Timezone: "Europe/Berlin",
		}},
		{"+445612345678", "", Number{
			Type: "VOIP", TypeCode: 2, E164: "+445612345678", National: "5612345678", Country: "United Kingdom",
			CountryISO: "GB", CountryCode: "44",
		}},
		{"+18005550199", "", Number{
			Type: "OTHER", TypeCode: 4, E164: "+18005550199", National: "8005550199", Country: "United States",
			CountryISO: "US", CountryCode: "1",
		}},
		{"+1206", "", Number{Type: "INVALID", TypeCode: 3}},
		{"call me", "US", Number{Type: "INVALID", TypeCode: 3}},
	}
	for _, tt := range tests {
		tt.want.Original, tt.want.OriginalCountry = tt.number, tt.country
		got, err := new(Service).ValidateNumber(t.Context(), tenant.Tenant{}, tt.number, tt.country)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("ValidateNumber(%q, %q) = %v (-want +got):\n%s", tt.number, tt.country, err, diff)
		}
	}
	for _, tt := range [][2]string{{"", ""}, {" ", "US"}, {"+12065550142", "USA"}, {"2065550142", "XX"}, {strings.Repeat("1", 65), ""}} {
		if got, err := new(Service).ValidateNumber(t.Context(), tenant.Tenant{}, tt[0], tt[1]); !fault.Is(err, fault.Invalid) {
			t.Errorf("ValidateNumber(%q, %q) = %+v, %v, want an invalid request", tt[0], tt[1], got, err)
		}
	}
}
