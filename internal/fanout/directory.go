package fanout

import (
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/sink"
)

// SetDirectory is the Directory of configuration sets: an event goes to those event
// destinations of its set that are enabled and want its type. Events without a set, or of
// a set that is gone, go nowhere.
type SetDirectory struct {
	// Sets must know every set before the Courier runs: what it does not know counts as
	// deleted.
	Sets interface {
		Get(key configset.Key) (*configset.Set, bool)
	}
}

// Match appends the subscribers that want e now to buf and returns it.
func (d SetDirectory) Match(e *event.Event, buf []Subscriber) []Subscriber {
	if e.Set == "" {
		return buf
	}
	scope := configset.Scope(e.Type.Channel())
	set, ok := d.Sets.Get(configset.Key{Tenant: e.Tenant, Scope: scope, Name: e.Set})
	if !ok {
		return buf
	}
	for i := range set.Destinations {
		if dest := &set.Destinations[i]; wants(dest, e) {
			buf = append(buf, Subscriber{Tenant: e.Tenant, Scope: scope, Set: e.Set, Name: dest.Name})
		}
	}
	return buf
}

// wants reports whether the event is for the event destination. One of an app receives nothing
// itself: who makes an event puts another into the log, in the form of the app's event stream.
func wants(d *configset.EventDestination, e *event.Event) bool {
	switch {
	case d.Destination.Kind == configset.Pinpoint:
		return false
	case e.Destination != "":
		return d.Name == e.Destination && d.Enabled
	}
	return d.Matches(e.Type)
}

// Find returns what is behind the subscriber now. A destination whose ARN cannot be read
// any more is disabled: its deliveries are kept.
func (d SetDirectory) Find(s Subscriber) (t sink.Target, enabled, ok bool) {
	set, ok := d.Sets.Get(configset.Key{Tenant: s.Tenant, Scope: s.Scope, Name: s.Set})
	if !ok {
		return sink.Target{}, false, false
	}
	dest, ok := set.Destination(s.Name)
	if !ok {
		return sink.Target{}, false, false
	}
	t, err := sink.NewTarget(s.Tenant, dest.Destination, dest.Dimensions...)
	return t, dest.Enabled && err == nil, true
}
