// Package pinpoint holds apps, what their clients report, and the endpoints these clients
// are: it checks events, keeps endpoints, and publishes each event with its record.
//
// It follows the Amazon Pinpoint API, version 2016-12-01, as far as apps, event streams,
// events, endpoints and phone numbers go. It knows nothing of that API's wire shapes; the
// only JSON it writes is the record, which is what consumers of an event stream read.
package pinpoint

import (
	"context"
	"maps"
	"strings"
	"time"

	"tidings/internal/event"
	"tidings/internal/tenant"
)

// App is an application, which the console of AWS calls a project. An App that a store has
// handed out is shared and must not be changed; take a Clone.
type App struct {
	ID      string // 32 hexadecimal digits
	Name    string
	Tenant  tenant.Tenant
	Created time.Time // UTC, in milliseconds
	Tags    map[string]string

	// What is known of the app's event stream beside its destination.
	StreamModified time.Time // when it was put, UTC, in milliseconds; zero = it was not
	StreamBy       string    // who put it

	// Settings is what clients have set for campaigns and journeys, which do not run here. It
	// belongs to the API family, is kept for it as it is, and never changed in place; nil =
	// nothing was set.
	Settings []byte
}

// ARN returns the ARN of the app.
func (a *App) ARN() string {
	return strings.Join([]string{"arn", partition(a.Tenant.Region), service, a.Tenant.Region, a.Tenant.Account, appPrefix + a.ID}, ":")
}

// Clone returns a copy that shares nothing with a.
func (a *App) Clone() *App {
	c := *a
	c.Tags = maps.Clone(a.Tags)
	return &c
}

// What the ARN of an app consists of.
// Source: Service Authorization Reference, "Actions, resources, and condition keys for
// Amazon Pinpoint".
const (
	service   = "mobiletargeting"
	appPrefix = "apps/"
)

// partition names the partition of AWS that a region belongs to.
// Source: AWS General Reference, "Amazon Resource Names".
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// Stream is the event stream of an app: where its events go.
type Stream struct {
	ARN      string    // of a Kinesis stream or a Firehose delivery stream
	Role     string    // ARN of the IAM role to publish with
	Modified time.Time // when it was put, UTC, in milliseconds
	By       string    // who put it
}

// AppStore keeps apps. Reads come from memory and never block; writes return once they are
// on disk. All methods are safe for concurrent use, and a read on the process that wrote
// sees the write. An App that is handed in is not changed or kept.
type AppStore interface {
	// App returns the app, or false.
	App(t tenant.Tenant, id string) (*App, bool)
	// Apps returns up to limit of the tenant's apps in the order of their creation,
	// beginning behind the position (the zero Position = from the first), and whether more
	// follow. limit must be at least 1.
	Apps(t tenant.Tenant, after Position, limit int) (apps []*App, more bool)
	// Count returns how many apps the tenant has.
	Count(t tenant.Tenant) int
	// Put stores the app, in place of the one with its tenant and ID if there is one.
	Put(ctx context.Context, a *App) error
	// Remove removes the app if there is one.
	Remove(ctx context.Context, t tenant.Tenant, id string) error
}

// Position is a place in the order of creation. Apps that were created in the same
// millisecond stand in the order of their IDs.
type Position struct {
	Created time.Time
	ID      string
}

// Position returns the app's place in the order of creation.
func (a *App) Position() Position { return Position{Created: a.Created, ID: a.ID} }

// Compare returns a negative number if p is before q, a positive one if it is behind, and
// 0 if they are the same.
func (p Position) Compare(q Position) int {
	if c := p.Created.Compare(q.Created); c != 0 {
		return c
	}
	return strings.Compare(p.ID, q.ID)
}

// Publisher appends events to the event log.
type Publisher interface {
	// Publish returns nil once the events are on disk, all of them. An event published
	// twice under one ID may be delivered twice.
	Publish(ctx context.Context, events ...event.Event) error
}
