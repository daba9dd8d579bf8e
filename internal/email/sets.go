package email

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// Sets are the configuration sets of e-mail. They are those of configset.Service, but for what SES does when a topic becomes the
// destination of events: it sends a text there.
type Sets struct {
	*configset.Service
	Publisher Publisher        // required
	Now       func() time.Time // nil = time.Now
}

// NewSets returns sets that publish what topics are sent to p.
func NewSets(s *configset.Service, p Publisher) *Sets { return &Sets{Service: s, Publisher: p} }

// validation is what SES sends to a topic that became a destination: no JSON, as consumers of such a topic know.
// Source: the SES Developer Guide does not have the text; it is known from recordings.
const validation = "Successfully validated SNS topic for Amazon SES event publishing."

// CreateDestination adds an event destination to a set. If it is a topic, an event says so there.
func (s *Sets) CreateDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error {
	if err := s.Service.CreateDestination(ctx, t, scope, set, d); err != nil {
		return err
	}
	return s.greet(ctx, t, scope, set, d)
}

// UpdateDestination replaces an event destination of a set. If it is a topic, an event says so there.
func (s *Sets) UpdateDestination(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error {
	if err := s.Service.UpdateDestination(ctx, t, scope, set, d); err != nil {
		return err
	}
	return s.greet(ctx, t, scope, set, d)
}

// greet publishes the event that tells a topic that events will come.
func (s *Sets) greet(ctx context.Context, t tenant.Tenant, scope configset.Scope, set string, d configset.EventDestination) error {
	if scope != configset.Email || d.Destination.Kind != configset.SNS {
		return nil
	}
	record, err := json.Marshal(validation)
	if err != nil {
		return fmt.Errorf("write the validation of a topic: %w", err)
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	at := now().UTC().Truncate(time.Millisecond)
	id := NewID(at)
	err = s.Publisher.Publish(ctx, event.Event{
		ID: id + "/validation", Type: event.EmailValidation, Time: at, Tenant: t, Set: set, Message: id,
		Record: record, Destination: d.Name,
	})
	if err != nil {
		return fmt.Errorf("publish the validation of a topic: %w", err)
	}
	return nil
}

// noSet is in the words of SES.
func noSet(name string) error {
	return fault.New(fault.NotFound, fault.ConfigurationSet, "Configuration set <%s> does not exist.", clip(name))
}
