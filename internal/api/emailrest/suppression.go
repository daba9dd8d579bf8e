package emailrest

import (
	"context"
	"time"

	"tidings/internal/awsapi/restjson"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

type putSuppressedInput struct{ EmailAddress, Reason string }

type suppressedInput struct {
	EmailAddress string `uri:"EmailAddress" json:"-"`
}

type listSuppressedInput struct {
	EndDate   string   `query:"EndDate" json:"-"`
	NextToken string   `query:"NextToken" json:"-"`
	PageSize  string   `query:"PageSize" json:"-"`
	Reasons   []string `query:"Reason" json:"-"`
	StartDate string   `query:"StartDate" json:"-"`
}

type suppressedSummary struct {
	EmailAddress   string
	LastUpdateTime restjson.Time
	Reason         string
}

type suppressedDestination struct {
	suppressedSummary

	Attributes *suppressedAttributes `json:",omitempty"`
}

type suppressedAttributes struct {
	FeedbackId string `json:",omitempty"`
	MessageId  string `json:",omitempty"`
}

type getSuppressedOutput struct{ SuppressedDestination suppressedDestination }

type listSuppressedOutput struct {
	NextToken                      string `json:",omitempty"`
	SuppressedDestinationSummaries []suppressedSummary
}

func (a *API) putSuppressed(ctx context.Context, t tenant.Tenant, in *putSuppressedInput) (*empty, error) {
	return nil, a.config.Mail.Suppress(ctx, t, in.EmailAddress, in.Reason)
}

func (a *API) getSuppressed(ctx context.Context, t tenant.Tenant, in *suppressedInput) (*getSuppressedOutput, error) {
	one, err := a.config.Mail.Suppressed(ctx, t, in.EmailAddress)
	if err != nil {
		return nil, err
	}
	out := &getSuppressedOutput{SuppressedDestination: suppressedDestination{
		suppressedSummary: suppressedSummary{EmailAddress: one.Address, LastUpdateTime: restjson.Time{Time: one.Updated}, Reason: one.Reason},
	}}
	if one.Message != "" || one.Feed != "" {
		out.SuppressedDestination.Attributes = &suppressedAttributes{FeedbackId: one.Feed, MessageId: one.Message}
	}
	return out, nil
}

func (a *API) deleteSuppressed(ctx context.Context, t tenant.Tenant, in *suppressedInput) (*empty, error) {
	return nil, a.config.Mail.Unsuppress(ctx, t, in.EmailAddress)
}

func (a *API) listSuppressed(ctx context.Context, t tenant.Tenant, in *listSuppressedInput) (*listSuppressedOutput, error) {
	since, err := queryTime("StartDate", in.StartDate)
	if err != nil {
		return nil, err
	}
	until, err := queryTime("EndDate", in.EndDate)
	if err != nil {
		return nil, err
	}
	p, err := a.page(t, listSuppressed, &pageInput{NextToken: in.NextToken, PageSize: in.PageSize}, longestPage)
	if err != nil {
		return nil, err
	}
	all, more, err := a.config.Mail.SuppressedList(ctx, t, in.Reasons, since, until, p.after, p.limit)
	if err != nil {
		return nil, err
	}
	out := &listSuppressedOutput{SuppressedDestinationSummaries: []suppressedSummary{}}
	for _, one := range all {
		out.SuppressedDestinationSummaries = append(out.SuppressedDestinationSummaries,
			suppressedSummary{EmailAddress: one.Address, LastUpdateTime: restjson.Time{Time: one.Updated}, Reason: one.Reason})
	}
	if more && len(all) > 0 {
		out.NextToken = a.config.Tokens.Seal(t, listSuppressed, all[len(all)-1].Address)
	}
	return out, nil
}

// queryTime reads a time of the query; "" is the zero time.
// Source: Smithy documentation, "AWS restJson1 protocol": the default format of a timestamp in
// the query is date-time, RFC 3339 section 5.6.
func queryTime(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fault.New(fault.Invalid, "", "%s must be a time such as 2026-11-21T10:30:00Z, not %q.", name, fault.Shorten(s))
	}
	return t.UTC(), nil
}
