// Package configset holds configuration sets and their event destinations: what an
// application says about which events it wants, and where.
package configset

import (
	"context"
	"errors"
	"slices"
	"time"

	"tidings/internal/event"
	"tidings/internal/tenant"
)

// Scope separates the name spaces of configuration sets: a set for voice and a set for
// e-mail may have the same name. It equals the Channel of the event types it deals with.
type Scope string

// The scopes.
const (
	Voice Scope = "voice"
	Email Scope = "email"
	App   Scope = "app" // a set has the ID of an app for its name, and the app's event stream for its one destination
)

// Key identifies a configuration set. It is comparable.
type Key struct {
	Tenant tenant.Tenant
	Scope  Scope
	Name   string
}

// Set is a configuration set. A Set that a Store has handed out is shared and must not be
// changed; take a Clone.
type Set struct {
	Name         string
	Created      time.Time
	Destinations []EventDestination // in the order of their creation
	Options      Options            // of sets of scope Email; the zero value for all others
	Revision     uint64             // set by the Store; an update must name the revision it changes
}

// Clone returns a copy that shares nothing with s.
func (s *Set) Clone() *Set {
	c := *s
	c.Options = s.Options.Clone()
	c.Destinations = slices.Clone(s.Destinations)
	for i := range c.Destinations {
		c.Destinations[i].Types = slices.Clone(c.Destinations[i].Types)
		c.Destinations[i].Dimensions = slices.Clone(c.Destinations[i].Dimensions)
	}
	return &c
}

// Destination returns the event destination of that name.
func (s *Set) Destination(name string) (*EventDestination, bool) {
	for i := range s.Destinations {
		if s.Destinations[i].Name == name {
			return &s.Destinations[i], true
		}
	}
	return nil, false
}

// EventDestination says which events of a set go where.
type EventDestination struct {
	Name        string
	Enabled     bool
	Types       []event.Type // in the order given, without duplicates
	Destination Destination
	Dimensions  []Dimension // of a CloudWatch destination; nil for the others
}

// Matches reports whether the destination wants an event of this type now.
func (d *EventDestination) Matches(t event.Type) bool {
	return d.Enabled && slices.Contains(d.Types, t)
}

// Kind is what sort of thing a destination's ARN names. It chooses the driver.
type Kind string

// The kinds.
const (
	SNS             Kind = "SNS"
	KinesisFirehose Kind = "KinesisFirehose"
	CloudWatchLogs  Kind = "CloudWatchLogs"
	KinesisStream   Kind = "KinesisStream" // Kinesis Data Streams
	CloudWatch      Kind = "CloudWatch"    // metrics; only in sets of scope Email
	Pinpoint        Kind = "Pinpoint"      // an app, in whose event stream the events appear; only in sets of scope Email
)

// Destination is one place that events go to. It is comparable.
type Destination struct {
	Kind Kind
	ARN  string // of the topic, delivery stream, log group or app, as the client gave it; "" for CloudWatch
	Role string // ARN of the IAM role to publish with; "" for SNS, CloudWatch and Pinpoint
}

// ErrChanged says that a set was changed by another writer since it was read.
var ErrChanged = errors.New("configuration set was changed meanwhile")

// Store keeps configuration sets. Reads come from memory and never block; writes return
// once they are on disk. All methods are safe for concurrent use, and a read on the
// process that wrote sees the write.
type Store interface {
	// Get returns the set, or false.
	Get(key Key) (*Set, bool)
	// List returns up to limit names of the tenant's sets in order, beginning behind the
	// name after ("" = from the first), and whether more follow.
	List(t tenant.Tenant, scope Scope, after string, limit int) (names []string, more bool)
	// Count returns how many sets the tenant has.
	Count(t tenant.Tenant, scope Scope) int
	// Create stores a new set. It fails with fault.Exists if the key is taken.
	Create(ctx context.Context, key Key, s *Set) error
	// Update replaces the set whose Revision s carries. It fails with ErrChanged if
	// another writer was faster, and with fault.NotFound if the set is gone.
	Update(ctx context.Context, key Key, s *Set) error
	// Delete removes the set and its event destinations. It fails with fault.NotFound if
	// there is none.
	Delete(ctx context.Context, key Key) error
}
