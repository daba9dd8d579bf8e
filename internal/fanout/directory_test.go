package fanout_test

import (
	"slices"
	"testing"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/tenant"
)

// newsSets has one set of e-mail.
type newsSets struct{ set *configset.Set }

func (n newsSets) Get(key configset.Key) (*configset.Set, bool) {
	return n.set, key.Scope == configset.Email && key.Name == "news"
}

// TestWhoWantsMail has a topic that is on, one that is off, metrics, and an app: which receives nothing itself, because whoever made the
// event has put another into the log for it.
func TestWhoWantsMail(t *testing.T) {
	t.Parallel()
	on := []event.Type{event.EmailSend, event.EmailOpen}
	d := fanout.SetDirectory{Sets: newsSets{&configset.Set{Name: "news", Destinations: []configset.EventDestination{
		{Name: "topic", Enabled: true, Types: on, Destination: configset.Destination{Kind: configset.SNS, ARN: "arn:aws:sns:us-east-1:1:a"}},
		{Name: "off", Types: on, Destination: configset.Destination{Kind: configset.SNS, ARN: "arn:aws:sns:us-east-1:1:b"}},
		{Name: "metrics", Enabled: true, Types: on, Destination: configset.Destination{Kind: configset.CloudWatch}, Dimensions: []configset.Dimension{{Name: "a", Default: "x"}}},
		{Name: "app", Enabled: true, Types: on, Destination: configset.Destination{Kind: configset.Pinpoint, ARN: "arn:aws:mobiletargeting:us-east-1:1:apps/x"}},
	}}}}
	owner := tenant.Tenant{Account: "123456789012", Region: "us-east-1"}
	for name, test := range map[string]struct {
		event event.Event
		want  []string
	}{
		"of a type that is wanted":    {event.Event{Type: event.EmailOpen, Set: "news"}, []string{"topic", "metrics"}},
		"of a type that is not":       {event.Event{Type: event.EmailClick, Set: "news"}, nil},
		"for one alone":               {event.Event{Type: event.EmailValidation, Set: "news", Destination: "topic"}, []string{"topic"}},
		"for one alone, which is off": {event.Event{Type: event.EmailValidation, Set: "news", Destination: "off"}, nil},
		"for one that is none":        {event.Event{Type: event.EmailSend, Set: "news", Destination: "x"}, nil},
		"for an app":                  {event.Event{Type: event.EmailSend, Set: "news", Destination: "app"}, nil},
		"without a set":               {event.Event{Type: event.EmailSend}, nil},
	} {
		test.event.Tenant = owner
		var got []string
		for _, s := range d.Match(&test.event, nil) {
			got = append(got, s.Name)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("an event %s goes to %q, want %q", name, got, test.want)
		}
	}
	target, enabled, ok := d.Find(fanout.Subscriber{Tenant: owner, Scope: configset.Email, Set: "news", Name: "metrics"})
	if !ok || !enabled || target.ARN.Resource != "metrics" || len(target.Dimensions()) != 1 {
		t.Errorf("Find of metrics = %+v, %v, %v", target, enabled, ok)
	}
}
