package configset_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

var (
	here  = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}
	there = tenant.Tenant{Account: "123456789012", Region: "eu-west-1"}
)

const (
	topic  = "arn:aws:sns:us-east-1:123456789012:alerts"
	stream = "arn:aws:firehose:us-east-1:123456789012:deliverystream/calls"
	group  = "arn:aws:logs:us-east-1:123456789012:log-group:/voice/calls"
	role   = "arn:aws:iam::123456789012:role/service/publisher"
)

// memory is a Store in memory that checks revisions as the real one does.
type memory struct {
	mu       sync.Mutex
	sets     map[configset.Key]*configset.Set
	revision uint64
	overtake int // how many updates to fail as if another writer had been faster
	broken   error
}

func (m *memory) Get(key configset.Key) (*configset.Set, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sets[key]
	return s, ok
}

func (m *memory) List(t tenant.Tenant, scope configset.Scope, after string, limit int) ([]string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for key := range m.sets {
		if key.Tenant == t && key.Scope == scope && key.Name > after {
			names = append(names, key.Name)
		}
	}
	slices.Sort(names)
	more := len(names) > limit
	return names[:min(limit, len(names))], more
}

func (m *memory) Count(t tenant.Tenant, scope configset.Scope) int {
	names, _ := m.List(t, scope, "", 1<<30)
	return len(names)
}

func (m *memory) Create(_ context.Context, key configset.Key, s *configset.Set) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	if _, ok := m.sets[key]; ok {
		return fault.New(fault.Exists, fault.ConfigurationSet, "taken")
	}
	m.put(key, s)
	return nil
}

func (m *memory) Update(_ context.Context, key configset.Key, s *configset.Set) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.sets[key]
	if !ok {
		return fault.New(fault.NotFound, fault.ConfigurationSet, "gone")
	}
	if m.overtake > 0 {
		m.overtake--
		m.put(key, old)
		return configset.ErrChanged
	}
	if old.Revision != s.Revision {
		return configset.ErrChanged
	}
	m.put(key, s)
	return nil
}

func (m *memory) Delete(_ context.Context, key configset.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.sets[key]; !ok {
		return fault.New(fault.NotFound, fault.ConfigurationSet, "gone")
	}
	delete(m.sets, key)
	return nil
}

func (m *memory) put(key configset.Key, s *configset.Set) {
	m.revision++
	c := s.Clone()
	c.Revision = m.revision
	m.sets[key] = c
}

func newService(tb testing.TB) (*configset.Service, *memory) {
	tb.Helper()
	m := &memory{sets: map[configset.Key]*configset.Set{}}
	return &configset.Service{Store: m, Now: func() time.Time { return time.Unix(1_900_000_000, 0) }}, m
}

func mustCreate(tb testing.TB, s *configset.Service, t tenant.Tenant, names ...string) {
	tb.Helper()
	for _, name := range names {
		if err := s.Create(tb.Context(), t, configset.Voice, name); err != nil {
			tb.Fatalf("Create(%q) = %v", name, err)
		}
	}
}

func destination(name string) configset.EventDestination {
	return configset.EventDestination{
		Name: name, Enabled: true, Types: []event.Type{event.VoiceAnswered},
		Destination: configset.Destination{Kind: configset.SNS, ARN: topic},
	}
}

// wantFault checks kind, resource and a part of the text of a fault.
func wantFault(tb testing.TB, what string, err error, kind fault.Kind, resource, text string) {
	tb.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		tb.Errorf("%s = %v, want a fault", what, err)
		return
	}
	if f.Kind != kind || f.Resource != resource || !strings.Contains(f.Msg, text) {
		tb.Errorf("%s = %v %s %q, want %v %s with %q", what, f.Kind, f.Resource, f.Msg, kind, resource, text)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	s, m := newService(t)
	mustCreate(t, s, here, "a", strings.Repeat("x", 64), "A_b-9")
	set, _ := m.Get(configset.Key{Tenant: here, Scope: configset.Voice, Name: "a"})
	if !set.Created.Equal(time.Unix(1_900_000_000, 0)) {
		t.Errorf("created at %v, want the time of the clock", set.Created)
	}
	mustCreate(t, s, there, "a") // another region, another set
	wantFault(t, "Create of a second", s.Create(t.Context(), here, configset.Voice, "a"),
		fault.Exists, fault.ConfigurationSet, "Configuration set <a> already exists.")
	for _, name := range []string{"a b", "a.b", "ä", strings.Repeat("x", 65), "a/b", "a\x00", "a\n"} {
		wantFault(t, fmt.Sprintf("Create(%q)", name), s.Create(t.Context(), here, configset.Voice, name),
			fault.Invalid, fault.ConfigurationSet, "1 to 64 letters")
	}
	wantFault(t, "Create without a name", s.Create(t.Context(), here, configset.Voice, ""),
		fault.Invalid, fault.ConfigurationSet, "missing")
}

func TestCreateLeavesAFailureOfTheStoreUnclassified(t *testing.T) {
	t.Parallel()
	s, m := newService(t)
	m.broken = errors.New("disk on fire")
	err := s.Create(t.Context(), here, configset.Voice, "a")
	if !errors.Is(err, m.broken) || fault.From(err).Kind != fault.Internal {
		t.Errorf("Create = %v, want the store's error unclassified", err)
	}
}

func TestTheLimitOfSetsIsExact(t *testing.T) {
	t.Parallel()
	s, m := newService(t)
	s.Limits = func(string) quota.Limits {
		return quota.For(quota.Production, map[quota.Name]int64{quota.ConfigurationSets: 10})
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for i := range 40 {
		wg.Go(func() {
			if err := s.Create(t.Context(), here, configset.Voice, fmt.Sprintf("set-%d", i)); err != nil {
				wantFault(t, "Create", err, fault.LimitExceeded, fault.ConfigurationSet, "Configuration set limit exceeded.")
				mu.Lock()
				refused++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n := m.Count(here, configset.Voice); n != 10 || refused != 30 {
		t.Errorf("%d sets and %d refusals, want 10 and 30", n, refused)
	}
	mustCreate(t, s, there, "a") // the limit counts per region
	names, _, err := s.List(t.Context(), here, configset.Voice, "", 1)
	if err != nil || len(names) != 1 {
		t.Fatalf("List = %v, %v", names, err)
	}
	wantFault(t, "Create of one that exists, at the limit", s.Create(t.Context(), here, configset.Voice, names[0]),
		fault.Exists, fault.ConfigurationSet, "")
	if err := s.Delete(t.Context(), here, configset.Voice, names[0]); err != nil {
		t.Fatalf("Delete = %v", err)
	}
	mustCreate(t, s, here, "again")
}

func TestList(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	mustCreate(t, s, here, "c", "a", "b")
	mustCreate(t, s, there, "x")
	names, more, err := s.List(t.Context(), here, configset.Voice, "", 2)
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" || !more || err != nil {
		t.Errorf("first page: more %v, %v\n%s", more, err, diff)
	}
	names, more, err = s.List(t.Context(), here, configset.Voice, "b", 2)
	if diff := cmp.Diff([]string{"c"}, names); diff != "" || more || err != nil {
		t.Errorf("second page: more %v, %v\n%s", more, err, diff)
	}
	_, _, err = s.List(t.Context(), here, configset.Voice, "", 0)
	wantFault(t, "List of none", err, fault.Invalid, fault.ConfigurationSet, "at least 1")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	mustCreate(t, s, here, "a")
	if err := s.Delete(t.Context(), here, configset.Voice, "a"); err != nil {
		t.Fatalf("Delete = %v", err)
	}
	for _, name := range []string{"a", "never", "not/legal"} {
		wantFault(t, "Delete", s.Delete(t.Context(), here, configset.Voice, name),
			fault.NotFound, fault.ConfigurationSet, "Configuration set <"+name+"> does not exist.")
	}
	_, err := s.Destinations(t.Context(), here, configset.Voice, "a")
	wantFault(t, "Destinations", err, fault.NotFound, fault.ConfigurationSet, "Configuration set <a> does not exist.")
	wantFault(t, "CreateDestination", s.CreateDestination(t.Context(), here, configset.Voice, "a", destination("d")),
		fault.NotFound, fault.ConfigurationSet, "Configuration set <a> does not exist.")
}

func TestDestinationsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	s, m := newService(t)
	mustCreate(t, s, here, "a")
	for _, name := range []string{"z", "y", "x"} {
		d := destination(name)
		d.Types = []event.Type{event.VoiceBusy, event.VoiceAnswered, event.VoiceBusy}
		if err := s.CreateDestination(t.Context(), here, configset.Voice, "a", d); err != nil {
			t.Fatalf("CreateDestination(%q) = %v", name, err)
		}
	}
	wantFault(t, "a second y", s.CreateDestination(t.Context(), here, configset.Voice, "a", destination("y")),
		fault.Exists, fault.EventDestination, "Event destination <y> already exists in configuration set <a>.")

	changed := configset.EventDestination{
		Name: "y", Types: []event.Type{event.VoiceFailed},
		Destination: configset.Destination{Kind: configset.CloudWatchLogs, ARN: group + ":*", Role: role},
	}
	m.overtake = 3 // other writers come between
	if err := s.UpdateDestination(t.Context(), here, configset.Voice, "a", changed); err != nil {
		t.Fatalf("UpdateDestination = %v", err)
	}
	if err := s.DeleteDestination(t.Context(), here, configset.Voice, "a", "z"); err != nil {
		t.Fatalf("DeleteDestination = %v", err)
	}
	got, err := s.Destinations(t.Context(), here, configset.Voice, "a")
	x := destination("x")
	x.Types = []event.Type{event.VoiceBusy, event.VoiceAnswered} // folded
	if diff := cmp.Diff([]configset.EventDestination{changed, x}, got); diff != "" || err != nil {
		t.Errorf("Destinations: %v\n%s", err, diff)
	}
	got[0].Types[0] = event.VoiceRinging
	again, _ := s.Destinations(t.Context(), here, configset.Voice, "a")
	if again[0].Types[0] != event.VoiceFailed {
		t.Error("Destinations hands out the stored types themselves")
	}

	missing := "Event destination <z> does not exist in configuration set <a>."
	wantFault(t, "Update of a missing", s.UpdateDestination(t.Context(), here, configset.Voice, "a", destination("z")),
		fault.NotFound, fault.EventDestination, missing)
	wantFault(t, "Delete of a missing", s.DeleteDestination(t.Context(), here, configset.Voice, "a", "z"),
		fault.NotFound, fault.EventDestination, missing)
}

func TestTheLimitOfDestinations(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	mustCreate(t, s, here, "a")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := s.CreateDestination(t.Context(), here, configset.Voice, "a", destination(fmt.Sprintf("d-%d", i)))
			if err != nil {
				wantFault(t, "CreateDestination", err, fault.LimitExceeded, fault.EventDestination,
					"Event destination limit exceeded for configuration set <a>.")
			}
		})
	}
	wg.Wait()
	ds, err := s.Destinations(t.Context(), here, configset.Voice, "a")
	if err != nil || len(ds) != 10 {
		t.Errorf("%d destinations, %v, want 10", len(ds), err)
	}
}

func TestChangeGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	s, m := newService(t)
	mustCreate(t, s, here, "a")
	m.overtake = 1 << 30
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.CreateDestination(ctx, here, configset.Voice, "a", destination("d")); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateDestination = %v, want context.Canceled", err)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	mustCreate(t, s, here, "a")
	s.Check = func(tenant.Tenant, configset.Destination) error { return errors.New("no binding") }
	wantFault(t, "CreateDestination", s.CreateDestination(t.Context(), here, configset.Voice, "a", destination("d")),
		fault.Invalid, fault.EventDestination, "cannot deliver to "+topic+": no binding.")
}
