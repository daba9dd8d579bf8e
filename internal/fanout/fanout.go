// Package fanout carries events from the log to everybody who wants them.
//
// The Router reads the log and finds, for each event, its subscribers. The Courier keeps a
// bounded queue in memory per subscriber and delivers from it in batches, as many at once
// as it has learned that the subscriber gains from. What a subscriber
// in trouble cannot take is parked on disk, so that the log's reader never waits for it;
// what cannot be delivered at all becomes a dead letter.
//
// Order: the events of one message are first attempted by a subscriber in the order of the
// log, one after the other. Events of different messages may overtake each other, and a
// retry may be overtaken by anything. AWS promises no order at all.
package fanout

import (
	"context"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

// Subscriber identifies one receiver of events: an event destination of a configuration
// set. It is comparable.
type Subscriber struct {
	Tenant tenant.Tenant
	Scope  configset.Scope
	Set    string
	Name   string // of the event destination
}

// String prints the subscriber as account/region/scope/set/name.
func (s Subscriber) String() string {
	return s.Tenant.String() + "/" + string(s.Scope) + "/" + s.Set + "/" + s.Name
}

// Delivery is an event on its way to a subscriber, with the history of that way.
type Delivery struct {
	Event       event.Event
	Attempts    int       // attempts that failed so far
	FirstFailed time.Time // zero = none failed yet
	LastError   string
}

// Directory tells who wants events. It answers from memory.
type Directory interface {
	// Match appends the subscribers that want e now to buf and returns it.
	Match(e *event.Event, buf []Subscriber) []Subscriber
	// Find returns what is behind the subscriber now. ok is false when the subscriber
	// does not exist any more; enabled is false when it takes no deliveries at present.
	Find(s Subscriber) (t sink.Target, enabled, ok bool)
}

// Pack is a group of events that were committed together.
type Pack struct {
	Seq    uint64 // position in the log
	Events []event.Event
	// Ack says that every event of the pack was delivered, parked or buried. Until then
	// a crash makes the log hand the pack out again.
	Ack func()
}

// Log is the event log as the Router reads it.
type Log interface {
	// Next waits for the next pack.
	Next(ctx context.Context) (*Pack, error)
}

// ParkedPack is a group of deliveries that were parked together.
type ParkedPack struct {
	Seq        uint64
	Deliveries []Delivery
}

// Backlog is what is parked for one subscriber.
type Backlog struct {
	Deliveries int
	Oldest     time.Time // when the oldest of them was parked
}

// Lot keeps the deliveries of subscribers in trouble. All methods are durable on return
// and safe for concurrent use.
type Lot interface {
	// Park stores deliveries behind all that are parked for s.
	Park(ctx context.Context, s Subscriber, ds []Delivery) error
	// Next returns the first pack parked for s with a sequence above after, or nil.
	Next(ctx context.Context, s Subscriber, after uint64) (*ParkedPack, error)
	// Remove forgets packs. Removing one that is gone is no error.
	Remove(ctx context.Context, seqs ...uint64) error
	// Backlogs returns what is parked, by subscriber. It is called once, at start.
	Backlogs(ctx context.Context) (map[Subscriber]Backlog, error)
}

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	ID         string // of the dead letter; assigned by the Morgue
	Subscriber Subscriber
	Delivery   Delivery
	Reason     string // why it was given up, for people
	Died       time.Time
}

// Morgue keeps dead letters until an operator retries or deletes them.
type Morgue interface {
	// Bury stores dead letters durably.
	Bury(ctx context.Context, letters ...DeadLetter) error
	// List returns up to limit letters in the order of their death, beginning behind the
	// letter with the ID after ("" = from the first).
	List(ctx context.Context, after string, limit int) ([]DeadLetter, error)
	// Remove forgets letters. Removing one that is gone is no error.
	Remove(ctx context.Context, ids ...string) error
	// Count returns how many letters there are.
	Count(ctx context.Context) (int, error)
}
