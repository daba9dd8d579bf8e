package pinpoint

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tidings/internal/awsapi"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// maxPage is how many apps a page has at most, and has if the client does not say.
// Source: Amazon Pinpoint Developer Guide, "Amazon Pinpoint quotas": there are 100 apps in a
// region by default. The API Reference states no bound.
const maxPage = 100

const getApps = "GetApps"

func (a *API) createApp(ctx context.Context, t tenant.Tenant, in *createAppInput) (*application, error) {
	app, err := a.config.Apps.CreateApp(ctx, t, in.Name, in.Tags)
	if err != nil {
		return nil, err
	}
	return new(wireApp(app)), nil
}

func (a *API) getApp(ctx context.Context, t tenant.Tenant, in *appInput) (*application, error) {
	app, err := a.config.Apps.App(ctx, t, in.ID)
	if err != nil {
		return nil, err
	}
	return new(wireApp(app)), nil
}

func (a *API) deleteApp(ctx context.Context, t tenant.Tenant, in *appInput) (*application, error) {
	app, err := a.config.Apps.DeleteApp(ctx, t, in.ID)
	if err != nil {
		return nil, err
	}
	return new(wireApp(app)), nil
}

func (a *API) getApps(ctx context.Context, t tenant.Tenant, in *getAppsInput) (*applications, error) {
	limit, err := awsapi.PageSize("page-size", in.PageSize, maxPage)
	if err != nil {
		return nil, err
	}
	var after pinpoint.Position
	if in.Token != "" {
		sealed, err := a.config.Tokens.Open(t, getApps, in.Token)
		if err != nil {
			return nil, err
		}
		if after, err = parsePosition(sealed); err != nil {
			return nil, err
		}
	}
	page, more, err := a.config.Apps.Apps(ctx, t, after, limit)
	if err != nil {
		return nil, err
	}
	out := &applications{Item: []application{}}
	for _, app := range page {
		out.Item = append(out.Item, wireApp(app))
	}
	if more && len(page) > 0 {
		out.NextToken = a.config.Tokens.Seal(t, getApps, formatPosition(page[len(page)-1].Position()))
	}
	return out, nil
}

// formatPosition writes a place in the list of apps for a token.
func formatPosition(p pinpoint.Position) string {
	return strconv.FormatInt(p.Created.UnixNano(), 10) + "/" + p.ID
}

// parsePosition reads what formatPosition wrote. Only another version can have sealed
// anything else.
func parsePosition(s string) (pinpoint.Position, error) {
	created, id, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(created, 10, 64)
	if err != nil {
		return pinpoint.Position{}, fmt.Errorf("position in the list of apps: %w", err)
	}
	return pinpoint.Position{Created: time.Unix(0, n).UTC(), ID: id}, nil
}

func (a *API) tag(ctx context.Context, t tenant.Tenant, in *tagInput) (*empty, error) {
	return nil, a.config.Apps.Tag(ctx, t, in.ARN, in.Tags)
}

func (a *API) untag(ctx context.Context, t tenant.Tenant, in *untagInput) (*empty, error) {
	return nil, a.config.Apps.Untag(ctx, t, in.ARN, in.Keys)
}

func (a *API) listTags(ctx context.Context, t tenant.Tenant, in *tagsInput) (*tagsModel, error) {
	tags, err := a.config.Apps.Tags(ctx, t, in.ARN)
	if err != nil {
		return nil, err
	}
	return &tagsModel{Tags: tags}, nil
}

// wireApp is the app as the API shows it.
func wireApp(app *pinpoint.App) application {
	w := application{Arn: app.ARN(), CreationDate: timestamp(app.Created), Id: app.ID, Name: app.Name, Tags: app.Tags}
	if w.Tags == nil {
		w.Tags = map[string]string{}
	}
	return w
}
