package email

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// svcSetStore keeps sets in memory.
type svcSetStore struct {
	configset.Store // what is not needed

	mu   sync.Mutex
	sets map[configset.Key]*configset.Set
}

func (s *svcSetStore) Get(key configset.Key) (*configset.Set, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.sets[key]
	return one, ok
}

func (s *svcSetStore) Count(tenant.Tenant, configset.Scope) int { return 0 }

func (s *svcSetStore) Create(_ context.Context, key configset.Key, one *configset.Set) error {
	return s.Update(context.Background(), key, one)
}

func (s *svcSetStore) Update(_ context.Context, key configset.Key, one *configset.Set) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets[key] = one
	return nil
}

func TestSetsGreetTopics(t *testing.T) {
	t.Parallel()
	published := &svcPublisher{}
	sets := NewSets(&configset.Service{Store: &svcSetStore{sets: map[configset.Key]*configset.Set{}}}, published)
	sets.Now = func() time.Time { return svcNoon }
	topic := configset.EventDestination{
		Name: "topic", Enabled: true, Types: []event.Type{event.EmailSend},
		Destination: configset.Destination{Kind: configset.SNS, ARN: "arn:aws:sns:us-east-1:123456789012:t"},
	}
	stream := topic
	stream.Name = "stream"
	stream.Destination = configset.Destination{
		Kind: configset.KinesisFirehose, ARN: "arn:aws:firehose:us-east-1:123456789012:deliverystream/s", Role: "arn:aws:iam::123456789012:role/r",
	}
	if err := sets.Create(t.Context(), svcOwner, configset.Email, "news"); err != nil {
		t.Fatalf("Create = %v", err)
	}
	for _, d := range []configset.EventDestination{topic, stream} {
		if err := sets.CreateDestination(t.Context(), svcOwner, configset.Email, "news", d); err != nil {
			t.Fatalf("CreateDestination(%s) = %v", d.Name, err)
		}
	}
	if len(published.events) != 1 {
		t.Fatalf("%d events for a topic and a stream, want one", len(published.events))
	}
	got := published.events[0]
	id, ok := strings.CutSuffix(got.ID, "/validation")
	want := event.Event{
		ID: got.ID, Type: event.EmailValidation, Time: svcNoon, Tenant: svcOwner, Set: "news", Message: id, Destination: "topic",
		Record: []byte(`"Successfully validated SNS topic for Amazon SES event publishing."`),
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if err := sets.UpdateDestination(t.Context(), svcOwner, configset.Email, "news", topic); err != nil || len(published.events) != 2 {
		t.Errorf("UpdateDestination = %v with %d events, want one more", err, len(published.events))
	}
	err := sets.CreateDestination(t.Context(), svcOwner, configset.Email, "news", topic)
	if !fault.Is(err, fault.Exists) || len(published.events) != 2 {
		t.Errorf("CreateDestination again = %v with %d events, want fault.Exists and none", err, len(published.events))
	}
	published.err = errors.New("disk full")
	topic.Name = "second"
	if err := sets.CreateDestination(t.Context(), svcOwner, configset.Email, "news", topic); !errors.Is(err, published.err) {
		t.Errorf("CreateDestination = %v, want what publishing says", err)
	}
}
