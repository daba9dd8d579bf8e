package pinpoint

import (
	"context"

	"tidings/internal/tenant"
)

func (a *API) validateNumber(ctx context.Context, t tenant.Tenant, in *validateInput) (*validated, error) {
	n, err := a.config.Apps.ValidateNumber(ctx, t, in.PhoneNumber, in.IsoCountryCode)
	if err != nil {
		return nil, err
	}
	return &validated{
		Carrier: n.Carrier, City: n.City, CleansedPhoneNumberE164: n.E164, CleansedPhoneNumberNational: n.National,
		Country: n.Country, CountryCodeIso2: n.CountryISO, CountryCodeNumeric: n.CountryCode,
		OriginalCountryCodeIso2: n.OriginalCountry, OriginalPhoneNumber: n.Original,
		PhoneType: n.Type, PhoneTypeCode: n.TypeCode, Timezone: n.Timezone,
	}, nil
}
