package pinpoint

import (
	"context"

	"tidings/internal/account"
	"tidings/internal/awsapi"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

func (a *API) putStream(ctx context.Context, in *putStreamInput) (*eventStream, error) {
	p, ok := account.FromContext(ctx)
	if !ok {
		return nil, awsapi.ErrNoCaller
	}
	by := "arn:aws:iam::" + p.Key.Account.ID + ":access-key/" + p.Key.ID // as refusals name the caller
	s, err := a.config.Apps.PutStream(ctx, p.Tenant(), in.ID, in.DestinationStreamArn, in.RoleArn, by)
	if err != nil {
		return nil, err
	}
	return wireStream(in.ID, s), nil
}

func (a *API) getStream(ctx context.Context, t tenant.Tenant, in *appInput) (*eventStream, error) {
	s, err := a.config.Apps.Stream(ctx, t, in.ID)
	if err != nil {
		return nil, err
	}
	return wireStream(in.ID, s), nil
}

func (a *API) deleteStream(ctx context.Context, t tenant.Tenant, in *appInput) (*eventStream, error) {
	s, err := a.config.Apps.DeleteStream(ctx, t, in.ID)
	if err != nil {
		return nil, err
	}
	return wireStream(in.ID, s), nil
}

// wireStream is the event stream of an app as the API shows it.
func wireStream(app string, s *pinpoint.Stream) *eventStream {
	return &eventStream{
		ApplicationId: app, DestinationStreamArn: s.ARN, RoleArn: s.Role,
		LastModifiedDate: timestamp(s.Modified), LastUpdatedBy: s.By,
	}
}
