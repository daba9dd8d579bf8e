// Package smsvoice is the Amazon Pinpoint SMS and Voice API, version 2018-09-05: its eight
// operations over REST-JSON, its words and its exceptions.
//
// It turns the wire into the terms of package configset and package voice, and back. The
// rules are theirs; here are only those about the shape of a request: that exactly one of
// several objects is given, that a word is one of a list.
//
// Source: Amazon Pinpoint SMS and Voice API Reference.
package smsvoice

import (
	"context"
	"net/http"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/restjson"
	"tidings/internal/configset"
	"tidings/internal/tenant"
	"tidings/internal/voice"
)

// Service is the name that signatures and actions use for this API.
const Service = "sms-voice"

// documentedRate is how often a second an account may read, change or delete event
// destinations, by operation.
// Source: SMS and Voice API Reference, "Configuration Set Event Destinations".
const documentedRate = 1

// Sets is what this API needs of configuration sets: a *configset.Service.
type Sets interface {
	Create(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string) error
	List(ctx context.Context, t tenant.Tenant, scope configset.Scope, after string, limit int) (names []string, more bool, err error)
	Delete(ctx context.Context, t tenant.Tenant, scope configset.Scope, name string) error
	CreateDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error
	Destinations(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string) ([]configset.EventDestination, error)
	UpdateDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error
	DeleteDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set, name string) error
}

// Sender is what this API needs of voice messages: a *voice.Service.
type Sender interface {
	// Send accepts a message for good and returns its ID.
	Send(ctx context.Context, t tenant.Tenant, r voice.Request) (id string, err error)
}

// Config is what an API is made of. All fields but Rates must be set.
type Config struct {
	Sets   Sets
	Voice  Sender
	Tokens *awsapi.PageTokens
	// Rates also enforces the documented request rates of the API. AWS protects its fleet
	// with them; a server of one's own rarely needs to.
	Rates bool
}

// API is the SMS and Voice API, an awsapi.Family. It is safe for concurrent use.
type API struct {
	*restjson.Family
	config Config
}

// New makes the API.
func New(c Config) *API {
	a := &API{config: c}
	a.Family = restjson.New(restjson.Config{
		Name: "smsvoice", Service: Service, Prefixes: []string{"/v1/sms-voice/"},
		Routes: a.routes(), Exception: exception,
	})
	return a
}

func (a *API) routes() []restjson.Route {
	const (
		sets         = "/v1/sms-voice/configuration-sets"
		set          = sets + "/{ConfigurationSetName}"
		destinations = set + "/event-destinations"
		destination  = destinations + "/{EventDestinationName}"
		message      = "/v1/sms-voice/voice/message"
	)
	rate := 0
	if a.config.Rates {
		rate = documentedRate
	}
	on := func(method, path string, rate int, op awsapi.Operation) restjson.Route {
		return restjson.Route{Method: method, Path: path, Operation: op, Rate: rate}
	}
	return []restjson.Route{
		on(http.MethodPost, sets, 0, awsapi.TenantOp("CreateConfigurationSet", a.createSet)),
		on(http.MethodGet, sets, 0, awsapi.TenantOp("ListConfigurationSets", a.listSets)),
		on(http.MethodDelete, set, 0, awsapi.TenantOp("DeleteConfigurationSet", a.deleteSet)),
		on(http.MethodPost, destinations, 0, awsapi.TenantOp("CreateConfigurationSetEventDestination", a.createDestination)),
		on(http.MethodGet, destinations, rate, awsapi.TenantOp("GetConfigurationSetEventDestinations", a.getDestinations)),
		on(http.MethodPut, destination, rate, awsapi.TenantOp("UpdateConfigurationSetEventDestination", a.updateDestination)),
		on(http.MethodDelete, destination, rate, awsapi.TenantOp("DeleteConfigurationSetEventDestination", a.deleteDestination)),
		on(http.MethodPost, message, 0, awsapi.TenantOp(sendVoiceMessage, a.sendMessage)),
	}
}
