package pinpoint

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"tidings/internal/tenant"
)

// Endpoint is a destination that an app knows of one of its users: a device with the app, an
// address, a telephone number. An Endpoint that a store has handed out, or was given, is shared
// and must not be changed; take a Clone.
//
// A nil pointer and a missing key stand for what nobody has said; an empty string was said.
type Endpoint struct {
	App        string // ID of the app
	ID         string // chosen by the client
	Created    time.Time
	Effective  time.Time // when it was updated, as the client says, or else as we saw it
	Request    string    // ID of the request that updated it last
	Address    *string
	Channel    *string // one of Channels
	Status     string  // StatusActive or StatusInactive
	OptOut     string  // OptOutAll or OptOutNone
	Attributes map[string][]string
	Metrics    map[string]float64
	Demographic
	Location
	User

	// made is the JSON of the endpoint as records have it, made at first need.
	made atomic.Pointer[fragments]
}

// Demographic is what an endpoint is.
type Demographic struct {
	AppVersion, Locale, Make, Model, ModelVersion, Platform, PlatformVersion, Timezone *string
}

// Location is where an endpoint is.
type Location struct {
	City, Country       *string
	Latitude, Longitude *float64
	PostalCode, Region  *string
}

// User is who uses an endpoint.
type User struct {
	UserID         *string
	UserAttributes map[string][]string
}

// The values of Endpoint.Status and of Endpoint.OptOut.
// Source: Amazon Pinpoint API Reference, "Endpoint", EndpointRequest.
const (
	StatusActive   = "ACTIVE"
	StatusInactive = "INACTIVE"
	OptOutAll      = "ALL"
	OptOutNone     = "NONE"
)

// Channels are the types of channel that an endpoint can have.
// Source: Amazon Pinpoint API Reference, "Endpoint", ChannelType.
var Channels = []string{
	"PUSH", "GCM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "ADM",
	"SMS", "VOICE", "EMAIL", "BAIDU", "CUSTOM", "IN_APP",
}

// Clone returns a copy that shares nothing with e that could be changed.
func (e *Endpoint) Clone() *Endpoint {
	return &Endpoint{
		App: e.App, ID: e.ID, Created: e.Created, Effective: e.Effective, Request: e.Request,
		Address: e.Address, Channel: e.Channel, Status: e.Status, OptOut: e.OptOut,
		Attributes: cloneLists(e.Attributes), Metrics: maps.Clone(e.Metrics),
		Demographic: e.Demographic, Location: e.Location,
		User: User{UserID: e.UserID, UserAttributes: cloneLists(e.UserAttributes)},
	}
}

func cloneLists(m map[string][]string) map[string][]string {
	c := maps.Clone(m)
	for k, v := range c {
		c[k] = slices.Clone(v)
	}
	return c
}

// EndpointChange is what a client says of an endpoint. nil = nothing is said of it, and it
// stays as it is.
type EndpointChange struct {
	Address        *string
	Attributes     map[string][]string // replaces the attributes of these names; an empty list removes one
	ChannelType    *string
	Demographic    *Demographic // member by member
	EffectiveDate  *string      // ISO 8601
	EndpointStatus *string      // nil = StatusActive
	Location       *Location    // member by member
	Metrics        map[string]float64
	OptOut         *string
	RequestID      *string
	User           *User
}

// AppKey identifies an app. It is comparable.
type AppKey struct {
	Tenant tenant.Tenant
	App    string // ID of the app
}

// EndpointStore keeps endpoints, and which words the apps have used in their events. All
// methods are safe for concurrent use.
type EndpointStore interface {
	// Endpoint returns the endpoint; nil = there is none.
	Endpoint(ctx context.Context, app AppKey, id string) (*Endpoint, error)
	// OfUser returns the user's endpoints in the order of their IDs, at most limit.
	OfUser(ctx context.Context, app AppKey, user string, limit int) ([]*Endpoint, error)
	// Words returns the words that the app has used, in no order.
	Words(ctx context.Context, app AppKey) ([]Word, error)
	// Change calls edit, one call after the other for all callers, and returns once what it
	// has done is on disk: all of it, or nothing if edit or the store fails. When ctx ends
	// before, what edit has done may be kept. edit must not block. Changes that wait at the
	// same time share a write to the disk.
	Change(ctx context.Context, app AppKey, edit func(tx EndpointTx) error) error
	// Drop removes all that is kept of the app. It is gone for readers at once, and from the
	// disk bit by bit.
	Drop(ctx context.Context, app AppKey) error
}

// EndpointTx is what an edit sees and changes: the endpoints of one app. It is valid only
// until the edit returns.
type EndpointTx interface {
	// Endpoint returns the endpoint; nil = there is none.
	Endpoint(id string) (*Endpoint, error)
	// OfUser returns the user's endpoints in the order of their IDs, at most limit.
	OfUser(user string, limit int) ([]*Endpoint, error)
	// ActiveAt returns the endpoints that are active and have this address, at most limit.
	ActiveAt(address string, limit int) ([]*Endpoint, error)
	// Put stores the endpoint, in place of the one with its ID. It is shared from then on.
	Put(e *Endpoint)
	// Delete removes the endpoint with this ID, if there is one.
	Delete(id string)
	// AddWord notes that the app has used a word.
	AddWord(w Word)
}

// Word is a word that an app has used in its events, by its hash.
type Word struct {
	Kind WordKind
	Hash uint64
}

// WordKind is what a word is.
type WordKind byte

// The kinds of words. They are kept on disk.
const (
	EventTypeWord    WordKind = 't'
	AttributeKeyWord WordKind = 'a'
	MetricKeyWord    WordKind = 'm'
)
