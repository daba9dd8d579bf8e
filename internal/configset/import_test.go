package configset_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/quota"
)

func TestImportMakesASetInOneWrite(t *testing.T) {
	t.Parallel()
	s, m := newService(t)
	bad := destination("bad")
	bad.Types = nil
	refused, err := s.Import(t.Context(), here, configset.Voice, "a",
		[]configset.EventDestination{destination("x"), bad, destination("y"), destination("x")})
	if err != nil || len(refused) != 4 || refused[0] != nil || refused[2] != nil {
		t.Fatalf("Import = %v, %v, want x and y to be added", refused, err)
	}
	wantFault(t, "bad", refused[1], fault.Invalid, fault.EventDestination, "At least one matching event type")
	wantFault(t, "the second x", refused[3], fault.Exists, fault.EventDestination, "Event destination <x> already exists in configuration set <a>.")
	if m.revision != 1 {
		t.Errorf("Import took %d writes, want 1", m.revision)
	}

	m.overtake = 2 // other writers come between
	refused, err = s.Import(t.Context(), here, configset.Voice, "a", []configset.EventDestination{destination("y"), destination("z")})
	if err != nil || refused[1] != nil {
		t.Fatalf("Import into a set that is there = %v, %v, want z to be added", refused, err)
	}
	wantFault(t, "y", refused[0], fault.Exists, fault.EventDestination, "Event destination <y> already exists")
	got, err := s.Destinations(t.Context(), here, configset.Voice, "a")
	want := []configset.EventDestination{destination("x"), destination("y"), destination("z")}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Destinations: %v\n%s", err, diff)
	}

	written := m.revision
	refused, err = s.Import(t.Context(), here, configset.Voice, "a", []configset.EventDestination{bad})
	wantFault(t, "nothing but bad", errors.Join(refused...), fault.Invalid, fault.EventDestination, "At least one")
	if refused, err := s.Import(t.Context(), here, configset.Voice, "a", nil); len(refused) != 0 || err != nil || m.revision != written {
		t.Errorf("Import of nothing = %v, %v, %d writes, want none", refused, err, m.revision-written)
	}
	if err != nil {
		t.Errorf("Import of what is refused = %v, want nil", err)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	s, m := newService(t)
	_, err := s.Import(t.Context(), here, configset.Voice, "a b", nil)
	wantFault(t, "a bad name", err, fault.Invalid, fault.ConfigurationSet, "must be 1 to 64 letters")
	s.Limits = func(string) quota.Limits {
		return quota.For(quota.Off, map[quota.Name]int64{quota.ConfigurationSets: 1, quota.EventDestinations: 2})
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			refused, err := s.Import(t.Context(), here, configset.Voice, "a", []configset.EventDestination{destination(fmt.Sprint(i))})
			if err != nil {
				t.Errorf("Import = %v, want nil", err)
				return
			}
			if refused[0] != nil {
				wantFault(t, "one too many", refused[0], fault.LimitExceeded, fault.EventDestination, "limit exceeded")
			}
		})
	}
	wg.Wait()
	if ds, err := s.Destinations(t.Context(), here, configset.Voice, "a"); err != nil || len(ds) != 2 {
		t.Errorf("%d destinations, %v, want 2", len(ds), err)
	}
	_, err = s.Import(t.Context(), here, configset.Voice, "b", nil)
	wantFault(t, "a second set", err, fault.LimitExceeded, fault.ConfigurationSet, "Configuration set limit exceeded.")

	m.broken = errors.New("the disk is gone")
	if _, err := s.Import(t.Context(), there, configset.Voice, "a", nil); !errors.Is(err, m.broken) {
		t.Errorf("Import on a broken disk = %v, want %v", err, m.broken)
	}
}
