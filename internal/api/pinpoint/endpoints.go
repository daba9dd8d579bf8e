package pinpoint

import (
	"context"
	"strconv"

	"tidings/internal/awsapi"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// accepted is what the API says of an update that is on disk.
// Source: Amazon Pinpoint API Reference, "Endpoint", the example of a MessageBody.
func accepted(ctx context.Context) *messageBody {
	return &messageBody{Message: "Accepted", RequestID: awsapi.RequestID(ctx)}
}

func (a *API) updateEndpoint(ctx context.Context, t tenant.Tenant, in *updateEndpointInput) (*messageBody, error) {
	if in.Change == nil {
		in.Change = &pinpoint.EndpointChange{}
	}
	if err := a.config.Apps.UpdateEndpoint(ctx, t, in.App, in.ID, *in.Change, awsapi.RequestID(ctx)); err != nil {
		return nil, err
	}
	return accepted(ctx), nil
}

func (a *API) updateEndpoints(ctx context.Context, t tenant.Tenant, in *updateEndpointsInput) (*messageBody, error) {
	if err := a.config.Apps.UpdateEndpoints(ctx, t, in.App, in.Changes, awsapi.RequestID(ctx)); err != nil {
		return nil, err
	}
	return accepted(ctx), nil
}

func (a *API) getEndpoint(ctx context.Context, t tenant.Tenant, in *endpointInput) (*endpoint, error) {
	e, err := a.config.Apps.Endpoint(ctx, t, in.App, in.ID)
	if err != nil {
		return nil, err
	}
	return new(wireEndpoint(e)), nil
}

func (a *API) deleteEndpoint(ctx context.Context, t tenant.Tenant, in *endpointInput) (*endpoint, error) {
	e, err := a.config.Apps.DeleteEndpoint(ctx, t, in.App, in.ID)
	if err != nil {
		return nil, err
	}
	return new(wireEndpoint(e)), nil
}

func (a *API) getUserEndpoints(ctx context.Context, t tenant.Tenant, in *userInput) (*endpoints, error) {
	all, err := a.config.Apps.UserEndpoints(ctx, t, in.App, in.User)
	if err != nil {
		return nil, err
	}
	return wireEndpoints(all), nil
}

func (a *API) deleteUserEndpoints(ctx context.Context, t tenant.Tenant, in *userInput) (*endpoints, error) {
	all, err := a.config.Apps.DeleteUserEndpoints(ctx, t, in.App, in.User)
	if err != nil {
		return nil, err
	}
	return wireEndpoints(all), nil
}

func wireEndpoints(all []*pinpoint.Endpoint) *endpoints {
	out := &endpoints{Item: []endpoint{}}
	for _, e := range all {
		out.Item = append(out.Item, wireEndpoint(e))
	}
	return out
}

// wireEndpoint is the endpoint as the API shows it: the objects that hold nothing are left
// out, as in records.
func wireEndpoint(e *pinpoint.Endpoint) endpoint {
	w := endpoint{
		Address: e.Address, ApplicationId: e.App, Attributes: e.Attributes, ChannelType: e.Channel,
		CohortId: strconv.Itoa(e.Cohort()), CreationDate: timestamp(e.Created), EffectiveDate: timestamp(e.Effective),
		EndpointStatus: e.Status, Id: e.ID, Metrics: e.Metrics, OptOut: e.OptOut, RequestId: e.Request,
	}
	if e.Demographic != (pinpoint.Demographic{}) {
		w.Demographic = new(demographic(e.Demographic))
	}
	if e.Location != (pinpoint.Location{}) {
		w.Location = new(location(e.Location))
	}
	if e.UserID != nil || len(e.UserAttributes) > 0 {
		w.User = &user{UserAttributes: e.UserAttributes, UserId: e.UserID}
	}
	return w
}
