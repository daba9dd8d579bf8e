package boltstore

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) {
	if code, ok := child(); ok {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

var (
	acme  = pinpoint.AppKey{Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"}, App: strings.Repeat("a", 32)}
	other = pinpoint.AppKey{Tenant: tenant.Tenant{Account: "123456789012", Region: "eu-west-1"}, App: strings.Repeat("a", 32)}
)

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	if opts.Path == "" {
		opts.Path = filepath.Join(t.TempDir(), "endpoints.db")
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatalf("Open(%q) = %v, want nil", opts.Path, err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
}

// endpoint makes an endpoint of a user with everything that an endpoint can have.
func endpoint(id, user string) *pinpoint.Endpoint {
	return &pinpoint.Endpoint{
		App: acme.App, ID: id, Created: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Effective: time.Date(2026, 2, 3, 4, 5, 6, 7e6, time.UTC),
		Request: "r-" + id, Address: new(id + "@example.com"), Channel: new("EMAIL"), Status: pinpoint.StatusActive, OptOut: pinpoint.OptOutNone,
		Attributes: map[string][]string{"plan": {"free", "trial"}, "none": {}}, Metrics: map[string]float64{"visits": 1.5},
		Demographic: pinpoint.Demographic{
			AppVersion: new(""), Locale: new("en_US"), Make: new("apple"), Model: new("iPhone"), ModelVersion: new("12"),
			Platform: new("ios"), PlatformVersion: new("14"), Timezone: new("Europe/Berlin"),
		},
		Location: pinpoint.Location{
			City: new("Berlin"), Country: new("DE"), Latitude: new(52.5), Longitude: new(0.0), PostalCode: new("10115"), Region: new("BE"),
		},
		User: pinpoint.User{UserID: new(user), UserAttributes: map[string][]string{"role": {"admin"}}},
	}
}

func put(t testing.TB, s *Store, app pinpoint.AppKey, all ...*pinpoint.Endpoint) {
	t.Helper()
	err := s.Change(within(t), app, func(tx pinpoint.EndpointTx) error {
		for _, e := range all {
			tx.Put(e)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Change = %v, want nil", err)
	}
}

func get(t testing.TB, s *Store, app pinpoint.AppKey, id string) *pinpoint.Endpoint {
	t.Helper()
	e, err := s.Endpoint(within(t), app, id)
	if err != nil {
		t.Fatalf("Endpoint(%q) = %v, want nil", id, err)
	}
	return e
}

func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(pinpoint.Endpoint{}), cmpopts.EquateEmpty())
}

func idsOf(all []*pinpoint.Endpoint) []string {
	ids := []string{}
	for _, e := range all {
		ids = append(ids, e.ID)
	}
	return ids
}

func ofUser(t testing.TB, s *Store, app pinpoint.AppKey, user string, limit int) []string {
	t.Helper()
	all, err := s.OfUser(within(t), app, user, limit)
	if err != nil {
		t.Fatalf("OfUser(%q) = %v, want nil", user, err)
	}
	return idsOf(all)
}
