package smsvoice

import (
	"context"
	"strconv"
	"strings"

	"tidings/internal/configset"
	"tidings/internal/fault"
)

// maxPage is how many names a page has at most, and has if the client does not say.
// Source: SMS and Voice v2 API Reference, "DescribeConfigurationSets", MaxResults; version
// 1 of the API states none.
const maxPage = 100

const listConfigurationSets = "ListConfigurationSets"

func (a *API) createSet(ctx context.Context, in *createSetInput) (*empty, error) {
	t, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	return nil, a.config.Sets.Create(ctx, t, configset.Voice, in.ConfigurationSetName)
}

func (a *API) deleteSet(ctx context.Context, in *setInput) (*empty, error) {
	t, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	return nil, a.config.Sets.Delete(ctx, t, configset.Voice, in.ConfigurationSetName)
}

func (a *API) listSets(ctx context.Context, in *listSetsInput) (*listSetsOutput, error) {
	t, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(in.PageSize)
	if err != nil {
		return nil, err
	}
	after := ""
	if in.NextToken != "" {
		if after, err = a.config.Tokens.Open(t, listConfigurationSets, in.NextToken); err != nil {
			return nil, err
		}
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

// pageSize reads PageSize, which this API has as a string. Empty is like absent.
func pageSize(s string) (int, error) {
	if s == "" {
		return maxPage, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || strings.HasPrefix(s, "+") || n < 1 || n > maxPage {
		return 0, fault.New(fault.Invalid, "", "PageSize must be a whole number from 1 to %d.", maxPage)
	}
	return n, nil
}
