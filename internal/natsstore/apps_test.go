package natsstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

var _ pinpoint.AppStore = (*Apps)(nil)

// appAt makes an app that was created so many seconds after the beginning.
func appAt(t tenant.Tenant, second int) *pinpoint.App {
	return &pinpoint.App{
		ID: fmt.Sprintf("%032x", 1000-second), Name: fmt.Sprintf("app %d", second), Tenant: t,
		Created: time.Date(2026, 11, 1, 0, 0, second, 0, time.UTC),
	}
}

func putApp(t testing.TB, s *Store, a *pinpoint.App) {
	t.Helper()
	if err := s.Apps().Put(within(t), a); err != nil {
		t.Fatalf("Put(%q) = %v, want nil", a.Name, err)
	}
}

func namesOf(apps []*pinpoint.App) []string {
	names := []string{}
	for _, a := range apps {
		names = append(names, a.Name)
	}
	return names
}

func TestAppsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	want := appAt(acme, 1)
	want.Tags = map[string]string{"team": "ops"}
	want.StreamModified, want.StreamBy = time.Date(2026, 11, 2, 3, 4, 5, 6e6, time.UTC), "arn:aws:iam::123456789012:user/eve"
	want.Settings = []byte("what the API family keeps")
	putApp(t, s, want)
	gone := appAt(acme, 2)
	putApp(t, s, gone)
	if err := s.Apps().Remove(within(t), acme, gone.ID); err != nil {
		t.Fatalf("Remove = %v, want nil", err)
	}
	if err := s.Apps().Remove(within(t), acme, gone.ID); err != nil {
		t.Errorf("Remove of nothing = %v, want nil", err)
	}
	check := func(when string) {
		t.Helper()
		got, ok := s.Apps().App(acme, want.ID)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("App %s = %v, (-want +got):\n%s", when, ok, diff)
		}
		if got, ok := s.Apps().App(acme, gone.ID); ok {
			t.Errorf("App of a removed app %s = %v, want nothing", when, got)
		}
		if n := s.Apps().Count(acme); n != 1 {
			t.Errorf("Count %s = %d, want 1", when, n)
		}
	}
	check("at once")
	closeStore(t, s)
	s = openStore(t, Options{Dir: dir})
	check("after a restart")
}

func TestAppsComeInTheOrderOfTheirCreation(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	other := tenant.Tenant{Account: acme.Account, Region: "eu-west-1"}
	for _, second := range []int{3, 1, 5, 2, 4} { // imported apps are older than others
		putApp(t, s, appAt(acme, second))
	}
	putApp(t, s, appAt(other, 9))
	renamed := appAt(acme, 2)
	renamed.Name = "renamed"
	putApp(t, s, renamed)
	var got [][]string
	var after pinpoint.Position
	for {
		page, more := s.Apps().Apps(acme, after, 2)
		got = append(got, namesOf(page))
		if !more {
			break
		}
		after = page[len(page)-1].Position()
	}
	want := [][]string{{"app 1", "renamed"}, {"app 3", "app 4"}, {"app 5"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages of apps (-want +got):\n%s", diff)
	}
	// The app at the end of a page may be removed before the next page is asked for.
	if err := s.Apps().Remove(within(t), acme, renamed.ID); err != nil {
		t.Fatalf("Remove = %v", err)
	}
	page, more := s.Apps().Apps(acme, renamed.Position(), 1)
	if names := namesOf(page); !slices.Equal(names, []string{"app 3"}) || !more {
		t.Errorf("Apps behind a removed one = %q, %v, want app 3 and more", names, more)
	}
	if page, more := s.Apps().Apps(tenant.Tenant{Account: "999999999999", Region: "us-east-1"}, pinpoint.Position{}, 5); len(page) != 0 || more {
		t.Errorf("Apps of nobody = %q, %v, want none", namesOf(page), more)
	}
}

func TestAppsAreTheirOwn(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	a := appAt(acme, 1)
	a.Tags = map[string]string{"k": "v"}
	putApp(t, s, a)
	a.Tags["k"] = "changed by its maker"
	got, _ := s.Apps().App(acme, a.ID)
	if got.Tags["k"] != "v" {
		t.Errorf("the stored app has the tag %q, want v", got.Tags["k"])
	}
}

func TestAppIndexPutsNewsInOrder(t *testing.T) {
	t.Parallel()
	x := &newApps(nil).index
	older, newer := appAt(acme, 1), appAt(acme, 1)
	newer.Name = "newer"
	x.put(newer, 7)
	x.put(older, 6)
	if got, ok := x.get(acme, older.ID); !ok || got.Name != "newer" {
		t.Errorf("after an older put came late: %v, want the newer", got)
	}
	x.remove(acme, older.ID, 5)
	if _, ok := x.get(acme, older.ID); !ok {
		t.Error("an older removal that came late has removed the app")
	}
	x.remove(acme, older.ID, 8)
	x.put(newer, 7)
	if _, ok := x.get(acme, older.ID); ok || x.count(acme) != 0 {
		t.Error("an older put that came late has brought the app back")
	}
	x.put(newer, 9)
	if _, ok := x.get(acme, older.ID); !ok || x.count(acme) != 1 {
		t.Error("a newer put has not brought the app back")
	}
}

func TestAppsRefuseKeysThatAreNone(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	a := appAt(tenant.Tenant{Account: "1.2", Region: "us-east-1"}, 1)
	if err := s.Apps().Put(within(t), a); err == nil {
		t.Error("Put of an app of account 1.2 worked")
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	if err := s.Room(); err != nil {
		t.Errorf("Room = %v, want nil", err)
	}
	s.space.full.Store(true)
	s.space.reserve = 1 << 62 // more than any disk has
	if err := s.Room(); err == nil {
		t.Error("Room of a full disk = nil, want a fault")
	}
}

// A directory that was made before there were apps has a bucket of notes that does not let
// its markers expire.
func TestOpenChangesAnOlderBucketOfNotes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := &session{streams: map[string]jetstream.Stream{}, last: map[string]uint64{}, log: &serverLog{log: slog.New(slog.DiscardHandler), onError: func() {}}}
	old.ctx, old.end = context.WithCancelCause(t.Context())
	opts := Options{Dir: dir}.withDefaults()
	if err := old.start(within(t), opts); err != nil {
		t.Fatalf("start = %v", err)
	}
	kv, err := old.js.CreateKeyValue(within(t), jetstream.KeyValueConfig{Bucket: bucketMeta, History: 1, MaxBytes: opts.MaxBytes})
	if err != nil {
		t.Fatalf("CreateKeyValue = %v", err)
	}
	if _, err := kv.Put(within(t), notePrefix+"a-key", []byte("kept")); err != nil {
		t.Fatalf("Put = %v", err)
	}
	old.close(patience)

	s := openStore(t, Options{Dir: dir})
	if got, err := s.Note(within(t), "a-key"); string(got) != "kept" || err != nil {
		t.Errorf("Note = %q, %v, want kept", got, err)
	}
	a := appAt(acme, 1)
	putApp(t, s, a)
	if err := s.Apps().Remove(within(t), acme, a.ID); err != nil {
		t.Errorf("Remove = %v, want nil", err)
	}
}
