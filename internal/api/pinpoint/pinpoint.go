// Package pinpoint is the part of the Amazon Pinpoint API, version 2016-12-01, that deals
// with apps, event streams, events, endpoints and telephone numbers: its operations over
// REST-JSON, its words and its exceptions.
//
// It turns the wire into the terms of the package of the same name in internal/pinpoint,
// and back. The rules are there.
//
// Source: Amazon Pinpoint API Reference.
package pinpoint

import (
	"context"
	"net/http"
	"time"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/restjson"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// Service is the name that signatures and actions use for this API.
const Service = "mobiletargeting"

// bodyLimit is how many bytes a request may have.
// Source: Amazon Pinpoint Developer Guide, "Amazon Pinpoint quotas", General quotas: 7 MB.
const bodyLimit = 7_000_000

// How often a second an account may call an operation.
// Source: Amazon Pinpoint Developer Guide, "Amazon Pinpoint quotas", API request quotas.
const (
	eventRate  = 7_000
	numberRate = 20
	otherRate  = 300
)

// Apps is what this API needs of apps: a *pinpoint.Service.
type Apps interface {
	CreateApp(ctx context.Context, t tenant.Tenant, name string, tags map[string]string) (*pinpoint.App, error)
	App(ctx context.Context, t tenant.Tenant, id string) (*pinpoint.App, error)
	Apps(ctx context.Context, t tenant.Tenant, after pinpoint.Position, limit int) (apps []*pinpoint.App, more bool, err error)
	DeleteApp(ctx context.Context, t tenant.Tenant, id string) (*pinpoint.App, error)
	UpdateSettings(ctx context.Context, t tenant.Tenant, app string, edit func(settings []byte, now time.Time) ([]byte, error)) error
	Tag(ctx context.Context, t tenant.Tenant, appARN string, tags map[string]string) error
	Untag(ctx context.Context, t tenant.Tenant, appARN string, keys []string) error
	Tags(ctx context.Context, t tenant.Tenant, appARN string) (map[string]string, error)
	PutStream(ctx context.Context, t tenant.Tenant, app, streamARN, role, by string) (*pinpoint.Stream, error)
	Stream(ctx context.Context, t tenant.Tenant, app string) (*pinpoint.Stream, error)
	DeleteStream(ctx context.Context, t tenant.Tenant, app string) (*pinpoint.Stream, error)
	PutEvents(ctx context.Context, t tenant.Tenant, app string, b pinpoint.Batch) ([]pinpoint.ItemResult, error)
	UpdateEndpoint(ctx context.Context, t tenant.Tenant, app, id string, c pinpoint.EndpointChange, request string) error
	UpdateEndpoints(ctx context.Context, t tenant.Tenant, app string, changes []pinpoint.NamedChange, request string) error
	Endpoint(ctx context.Context, t tenant.Tenant, app, id string) (*pinpoint.Endpoint, error)
	DeleteEndpoint(ctx context.Context, t tenant.Tenant, app, id string) (*pinpoint.Endpoint, error)
	UserEndpoints(ctx context.Context, t tenant.Tenant, app, user string) ([]*pinpoint.Endpoint, error)
	DeleteUserEndpoints(ctx context.Context, t tenant.Tenant, app, user string) ([]*pinpoint.Endpoint, error)
	ValidateNumber(ctx context.Context, t tenant.Tenant, number, country string) (pinpoint.Number, error)
}

// Config is what an API is made of. All fields but Rates must be set.
type Config struct {
	Apps   Apps
	Tokens *awsapi.PageTokens
	// Rates also enforces the documented request rates of the API. AWS protects its fleet
	// with them; a server of one's own rarely needs to.
	Rates bool
}

// API is the Pinpoint API, an awsapi.Family. It is safe for concurrent use.
type API struct {
	*restjson.Family
	config Config
}

// New makes the API.
func New(c Config) *API {
	a := &API{config: c}
	a.Family = restjson.New(restjson.Config{
		Name: "pinpoint", Service: Service, Prefixes: []string{"/v1/apps", "/v1/phone/", "/v1/tags/"},
		BodyLimit: bodyLimit, TooLarge: "PayloadTooLargeException", ErrorRequestID: true, ResourceRoot: "/v1/",
		Routes: a.routes(), Exception: exception,
	})
	return a
}

func (a *API) routes() []restjson.Route {
	const (
		apps      = "/v1/apps"
		app       = apps + "/{application-id}"
		settings  = app + "/settings"
		stream    = app + "/eventstream"
		endpoints = app + "/endpoints"
		endpoint  = endpoints + "/{endpoint-id}"
		user      = app + "/users/{user-id}"
		tags      = "/v1/tags/{resource-arn}"
	)
	on := func(method, path string, status, rate int, op awsapi.Operation) restjson.Route {
		if !a.config.Rates {
			rate = 0
		}
		return restjson.Route{Method: method, Path: path, Operation: op, Rate: rate, Status: status}
	}
	const ok, created, accepted, noContent = http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent
	return []restjson.Route{
		on(http.MethodPost, apps, created, otherRate, awsapi.TenantOp("CreateApp", a.createApp)),
		on(http.MethodGet, apps, ok, otherRate, awsapi.TenantOp(getApps, a.getApps)),
		on(http.MethodGet, app, ok, otherRate, awsapi.TenantOp("GetApp", a.getApp)),
		on(http.MethodDelete, app, ok, otherRate, awsapi.TenantOp("DeleteApp", a.deleteApp)),
		on(http.MethodGet, settings, ok, otherRate, awsapi.TenantOp("GetApplicationSettings", a.getSettings)),
		on(http.MethodPut, settings, ok, otherRate, awsapi.TenantOp("UpdateApplicationSettings", a.updateSettings)),
		on(http.MethodPost, stream, ok, otherRate, awsapi.Op("PutEventStream", a.putStream)),
		on(http.MethodGet, stream, ok, otherRate, awsapi.TenantOp("GetEventStream", a.getStream)),
		on(http.MethodDelete, stream, ok, otherRate, awsapi.TenantOp("DeleteEventStream", a.deleteStream)),
		on(http.MethodPost, app+"/events", accepted, eventRate, awsapi.TenantOp("PutEvents", a.putEvents)),
		on(http.MethodPut, endpoints, accepted, otherRate, awsapi.TenantOp("UpdateEndpointsBatch", a.updateEndpoints)),
		on(http.MethodPut, endpoint, accepted, otherRate, awsapi.TenantOp("UpdateEndpoint", a.updateEndpoint)),
		on(http.MethodGet, endpoint, ok, otherRate, awsapi.TenantOp("GetEndpoint", a.getEndpoint)),
		on(http.MethodDelete, endpoint, accepted, otherRate, awsapi.TenantOp("DeleteEndpoint", a.deleteEndpoint)),
		on(http.MethodGet, user, ok, otherRate, awsapi.TenantOp("GetUserEndpoints", a.getUserEndpoints)),
		on(http.MethodDelete, user, accepted, otherRate, awsapi.TenantOp("DeleteUserEndpoints", a.deleteUserEndpoints)),
		on(http.MethodPost, tags, noContent, otherRate, awsapi.TenantOp("TagResource", a.tag)),
		on(http.MethodDelete, tags, noContent, otherRate, awsapi.TenantOp("UntagResource", a.untag)),
		on(http.MethodGet, tags, ok, otherRate, awsapi.TenantOp("ListTagsForResource", a.listTags)),
		on(http.MethodPost, "/v1/phone/number/validate", ok, numberRate, awsapi.TenantOp("PhoneNumberValidate", a.validateNumber)),
	}
}

// timestamp is how this API writes times.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
