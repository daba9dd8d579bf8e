package emailrest

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tidings/internal/configset"
	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// filteredInput is the input of the operations that list as clients of the API v2 know them since 2026: in a body, with filters.
// Older clients ask with GET, and both are served.
// Source: AWS SDK for Go v2, changelog of service/sesv2: "Added Filter support for ListTenants, ListEmailIdentities, and
// ListConfigurationSets APIs".
type filteredInput struct {
	Filter    map[string]string
	NextToken string
	PageSize  *int64
}

// page is the part of the list that the client wants.
func (in *filteredInput) page() *pageInput {
	p := &pageInput{NextToken: in.NextToken}
	if in.PageSize != nil {
		p.PageSize = strconv.FormatInt(*in.PageSize, 10)
	}
	return p
}

// filters are the tests that a client may ask for, by their words: whether an entry passes with a value. An entry must pass all that are asked for.
type filters[T any] map[string]func(one T, value string) bool

// all returns the test that the client asks for. It fails with fault.Invalid if there is no such word.
func (f filters[T]) all(asked map[string]string) (func(one T) bool, error) {
	for word := range asked {
		if f[word] == nil {
			return nil, fault.New(fault.Invalid, "", "%q is not a filter; the filters are %s.", fault.Shorten(word), strings.Join(slices.Sorted(maps.Keys(f)), ", "))
		}
	}
	return func(one T) bool {
		for word, value := range asked {
			if !f[word](one, value) {
				return false
			}
		}
		return true
	}, nil
}

// Source: SES API v2 Reference, "ConfigurationSetFilterKey" and "IdentityFilterKey".
var (
	setFilters = filters[string]{"CONFIGURATION_SET_NAME_CONTAINS": strings.Contains}

	identityFilters = filters[*email.Identity]{
		"IDENTITY_NAME_CONTAINS": func(one *email.Identity, value string) bool { return strings.Contains(one.Name, value) },
		"IDENTITY_TYPE":          func(one *email.Identity, value string) bool { return identityType(one) == value },
		"VERIFICATION_STATUS":    func(one *email.Identity, value string) bool { return verification(one) == value },
	}
)

// pick reads a list from p.after on and returns up to p.limit of the entries that pass, and whether there may be more.
func pick[T any](p page, read func(after string, limit int) ([]T, bool, error), name func(T) string, passes func(T) bool) (picked []T, more bool, err error) {
	for {
		some, rest, err := read(p.after, p.limit)
		if err != nil {
			return nil, false, err
		}
		for i, one := range some {
			p.after = name(one)
			if !passes(one) {
				continue
			}
			if picked = append(picked, one); len(picked) == p.limit {
				return picked, rest || i < len(some)-1, nil
			}
		}
		if !rest || len(some) == 0 {
			return picked, false, nil
		}
	}
}

func (a *API) listSets(ctx context.Context, t tenant.Tenant, in *pageInput) (*listSetsOutput, error) {
	return a.someSets(ctx, t, in, nil)
}

func (a *API) listFilteredSets(ctx context.Context, t tenant.Tenant, in *filteredInput) (*listSetsOutput, error) {
	return a.someSets(ctx, t, in.page(), in.Filter)
}

func (a *API) someSets(ctx context.Context, t tenant.Tenant, in *pageInput, filter map[string]string) (*listSetsOutput, error) {
	p, err := a.page(t, listConfigurationSets, in, longestPage)
	if err != nil {
		return nil, err
	}
	passes, err := setFilters.all(filter)
	if err != nil {
		return nil, err
	}
	names, more, err := pick(p, func(after string, limit int) ([]string, bool, error) {
		return a.config.Sets.List(ctx, t, configset.Email, after, limit)
	}, func(name string) string { return name }, passes)
	if err != nil {
		return nil, err
	}
	out := &listSetsOutput{ConfigurationSets: append([]string{}, names...)}
	if more {
		out.NextToken = a.config.Tokens.Seal(t, listConfigurationSets, names[len(names)-1])
	}
	return out, nil
}

func (a *API) listIdentities(ctx context.Context, t tenant.Tenant, in *pageInput) (*listIdentitiesOutput, error) {
	return a.someIdentities(ctx, t, in, nil)
}

func (a *API) listFilteredIdentities(ctx context.Context, t tenant.Tenant, in *filteredInput) (*listIdentitiesOutput, error) {
	return a.someIdentities(ctx, t, in.page(), in.Filter)
}

func (a *API) someIdentities(ctx context.Context, t tenant.Tenant, in *pageInput, filter map[string]string) (*listIdentitiesOutput, error) {
	p, err := a.page(t, listEmailIdentities, in, longestPage)
	if err != nil {
		return nil, err
	}
	passes, err := identityFilters.all(filter)
	if err != nil {
		return nil, err
	}
	all, more, err := pick(p, func(after string, limit int) ([]*email.Identity, bool, error) {
		return a.config.Mail.Identities(ctx, t, email.AnyIdentity, after, limit)
	}, func(one *email.Identity) string { return one.Name }, passes)
	if err != nil {
		return nil, err
	}
	out := &listIdentitiesOutput{EmailIdentities: []identityInfo{}}
	for _, one := range all {
		info := identityInfo{IdentityName: one.Name, IdentityType: identityType(one), SendingEnabled: one.Verified}
		if a.v2 {
			info.VerificationStatus = verification(one)
		}
		out.EmailIdentities = append(out.EmailIdentities, info)
	}
	if more {
		out.NextToken = a.config.Tokens.Seal(t, listEmailIdentities, all[len(all)-1].Name)
	}
	return out, nil
}
