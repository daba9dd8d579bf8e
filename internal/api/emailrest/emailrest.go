// Package emailrest is two APIs over one feature: Pinpoint Email, version 2018-07-26, and the
// SES API v2, version 2019-09-27, which grew out of it. They speak REST-JSON and share most of
// their shapes; each has its own operations and exceptions.
//
// It turns the wire into the terms of package configset and package email, and back. The
// rules are theirs; here are only those about the shape of a request: that exactly one of
// several objects is given, that a word is one of a list, and what one of the APIs has
// narrower than the other.
//
// Source: Amazon Pinpoint Email API Reference; Amazon SES API v2 Reference.
package emailrest

import (
	"context"
	"time"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/restjson"
	"tidings/internal/configset"
	"tidings/internal/email"
	"tidings/internal/tenant"
)

// Service is the name that signatures and actions use for both APIs, and for SES's first.
const Service = "ses"

// How many bytes a request may have: a message in base64, and a mebibyte for what is around it.
// Source: SES Developer Guide, "Service quotas in Amazon SES", Message quotas: 40 MB for the
// API v2, 10 MB for the API v1; Pinpoint Email had the latter.
const (
	pinpointBodyLimit = 10<<20*4/3 + 1<<20
	v2BodyLimit       = 40<<20*4/3 + 1<<20
)

// documentedRate is how often a second an account may call an operation, but for those that
// send. Source: SES Developer Guide, "Service quotas in Amazon SES", API operations.
const documentedRate = 1

// Sets is what these APIs need of configuration sets: what a *configset.Service has.
type Sets interface {
	CreateWith(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string, o configset.Options) error
	Set(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string) (*configset.Set, error)
	List(ctx context.Context, t tenant.Tenant, scope configset.Scope, after string, limit int) (names []string, more bool, err error)
	Delete(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string) error
	ChangeOptions(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string, edit func(*configset.Options) error) error
	CreateDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error
	Destinations(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string) ([]configset.EventDestination, error)
	UpdateDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error
	DeleteDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set, name string) error
}

// Mail is what these APIs need of mail: a *email.Service.
type Mail interface {
	Send(ctx context.Context, t tenant.Tenant, r email.Request) (id string, err error)
	SendBulk(ctx context.Context, t tenant.Tenant, b email.Bulk) ([]email.BulkResult, error)

	CreateTemplate(ctx context.Context, t tenant.Tenant, one email.Template) error
	UpdateTemplate(ctx context.Context, t tenant.Tenant, one email.Template) error
	Template(ctx context.Context, t tenant.Tenant, name string) (*email.Template, error)
	Templates(ctx context.Context, t tenant.Tenant, after string, limit int) (all []*email.Template, more bool, err error)
	DeleteTemplate(ctx context.Context, t tenant.Tenant, name string) (had bool, err error)
	Render(ctx context.Context, t tenant.Tenant, name, data string) (mime string, err error)

	CreateIdentity(ctx context.Context, t tenant.Tenant, one email.Identity) (*email.Identity, error)
	Identity(ctx context.Context, t tenant.Tenant, name string) (*email.Identity, error)
	Identities(ctx context.Context, t tenant.Tenant, kind email.IdentityKind, after string, limit int) (all []*email.Identity, more bool, err error)
	DeleteIdentity(ctx context.Context, t tenant.Tenant, name string) (had bool, err error)
	ChangeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*email.Identity) error) error
	VerifyDKIM(ctx context.Context, t tenant.Tenant, domain string) (*email.Identity, error)

	Quota(ctx context.Context, t tenant.Tenant) (email.Quota, error)
	Settings(ctx context.Context, t tenant.Tenant) (email.Settings, error)
	ChangeSettings(ctx context.Context, t tenant.Tenant, edit func(*email.Settings) error) error

	Suppress(ctx context.Context, t tenant.Tenant, address, reason string) error
	Suppressed(ctx context.Context, t tenant.Tenant, address string) (*email.Suppressed, error)
	SuppressedList(ctx context.Context, t tenant.Tenant, reasons []string, since, until time.Time, after string, limit int) (all []*email.Suppressed, more bool, err error)
	Unsuppress(ctx context.Context, t tenant.Tenant, address string) error
}

// Config is what an API is made of. All fields but Rates and Now must be set.
type Config struct {
	Sets   Sets
	Mail   Mail
	Tokens *awsapi.PageTokens
	// Rates also enforces the documented request rates of the API. AWS protects its fleet
	// with them; a server of one's own rarely needs to.
	Rates bool
	Now   func() time.Time // nil = time.Now
}

// API is one of the two APIs, an awsapi.Family. It is safe for concurrent use.
type API struct {
	*restjson.Family
	config Config
	v2     bool // the SES API v2, not Pinpoint Email
}

// NewPinpointEmail makes the Pinpoint Email API.
func NewPinpointEmail(c Config) *API {
	a := &API{config: c}
	a.Family = restjson.New(restjson.Config{
		Name: "pinpointemail", Service: Service, Prefixes: []string{"/v1/email/"}, BodyLimit: pinpointBodyLimit,
		Routes: a.pinpointRoutes(), Exception: pinpointException, LowerMessage: true,
	})
	return a
}

// NewV2 makes the SES API v2.
func NewV2(c Config) *API {
	a := &API{config: c, v2: true}
	a.Family = restjson.New(restjson.Config{
		Name: "sesv2", Service: Service, Prefixes: []string{"/v2/email/"}, BodyLimit: v2BodyLimit,
		Routes: a.v2Routes(), Exception: v2Exception, LowerMessage: true,
	})
	return a
}

func (a *API) now() time.Time {
	if a.config.Now == nil {
		return time.Now()
	}
	return a.config.Now()
}
