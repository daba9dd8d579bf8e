package smsvoice

import (
	"context"

	"tidings/internal/awsapi"
	"tidings/internal/configset"
	"tidings/internal/tenant"
)

// maxPage is how many names a page has at most, and has if the client does not say.
// Source: SMS and Voice v2 API Reference, "DescribeConfigurationSets", MaxResults; version
// 1 of the API states none.
const maxPage = 100

const listConfigurationSets = "ListConfigurationSets"

func (a *API) createSet(ctx context.Context, t tenant.Tenant, in *createSetInput) (*empty, error) {
	return nil, a.config.Sets.Create(ctx, t, configset.Voice, in.ConfigurationSetName)
}

func (a *API) deleteSet(ctx context.Context, t tenant.Tenant, in *setInput) (*empty, error) {
	return nil, a.config.Sets.Delete(ctx, t, configset.Voice, in.ConfigurationSetName)
}

func (a *API) listSets(ctx context.Context, t tenant.Tenant, in *listSetsInput) (*listSetsOutput, error) {
	limit, err := awsapi.PageSize("PageSize", in.PageSize, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := a.config.Tokens.After(t, listConfigurationSets, in.NextToken)
	if err != nil {
		return nil, err
	}
	names, more, err := a.config.Sets.List(ctx, t, configset.Voice, after, limit)
	if err != nil {
		return nil, err
	}
	out := &listSetsOutput{ConfigurationSets: append([]string{}, names...)}
	if more && len(names) > 0 {
		out.NextToken = a.config.Tokens.Seal(t, listConfigurationSets, names[len(names)-1])
	}
	return out, nil
}
