package natsstore

import (
	"testing"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
)

// TestDimensionsLiveOnDisk holds sets of the e-mail channel, with all they have, to what those
// of calls do.
func TestDimensionsLiveOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	key := configset.Key{Tenant: acme, Scope: configset.Email, Name: "news"}
	want := &configset.Set{
		Name: "news", Created: time.UnixMilli(1_700_000_000_123).UTC(),
		Destinations: []configset.EventDestination{{
			Name: "metrics", Enabled: true, Types: []event.Type{event.EmailSend, event.EmailRenderingFailure},
			Destination: configset.Destination{Kind: configset.CloudWatch},
			Dimensions: []configset.Dimension{
				{Name: "campaign", Source: configset.MessageTag, Default: "none"},
				{Name: "Subject", Source: configset.EmailHeader, Default: "a@b"},
			},
		}},
		Options: configset.Options{
			RedirectDomain: "links.example.com", HTTPSLinks: "REQUIRE", RequireTLS: true, Pool: "p", MaxDelivery: time.Hour,
			SendingPaused: true, ReputationMetrics: true, FreshStart: time.UnixMilli(1_700_000_000_456).UTC(),
			Suppression: []string{}, Tags: map[string]string{"team": "growth"}, Kept: map[string]string{"TlsPolicy": "OPTIONAL"},
		},
	}
	if err := s.ConfigurationSets().Create(within(t), key, want); err != nil {
		t.Fatalf("Create = %v, want nil", err)
	}
	closeStore(t, s)
	s = openStore(t, Options{Dir: dir})
	got := get(t, s, key)
	want.Revision = got.Revision
	diff(t, "set after a restart", got, want)
}
