package boltstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.etcd.io/bbolt"

	"tidings/internal/boltfile"
	"tidings/internal/fault"
	"tidings/internal/pinpoint"
)

func TestEndpointsSurviveARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "below", "endpoints.db")
	s := open(t, Options{Path: path})
	full, bare := endpoint("full", "user"), &pinpoint.Endpoint{
		App: acme.App, ID: "bare", Created: time.UnixMilli(1).UTC(), Effective: time.UnixMilli(2).UTC(), Status: pinpoint.StatusInactive, OptOut: pinpoint.OptOutAll,
	}
	put(t, s, acme, full, bare)
	check := func(when string) {
		t.Helper()
		for _, want := range []*pinpoint.Endpoint{full, bare} {
			if d := diff(want, get(t, s, acme, want.ID)); d != "" {
				t.Errorf("Endpoint(%q) %s (-want +got):\n%s", want.ID, when, d)
			}
		}
		if got := get(t, s, acme, "none"); got != nil {
			t.Errorf("Endpoint of nothing %s = %v, want nil", when, got)
		}
		if got := get(t, s, other, "full"); got != nil {
			t.Errorf("Endpoint of another region %s = %v, want nil", when, got)
		}
		if got := ofUser(t, s, acme, "user", 9); !slices.Equal(got, []string{"full"}) {
			t.Errorf("OfUser %s = %q, want full", when, got)
		}
	}
	check("at once")
	shut(t, s)
	s = open(t, Options{Path: path})
	check("after a restart")
	check("from memory")
}

// A transaction that fails in the middle of its edit leaves nothing, and others beside it
// what they have done.
func TestARefusedEditChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	put(t, s, acme, endpoint("kept", "user"))
	refusal := errors.New("no")
	err := s.Change(within(t), acme, func(tx pinpoint.EndpointTx) error {
		tx.Put(endpoint("new", "user"))
		tx.Delete("kept")
		tx.AddWord(pinpoint.Word{Kind: pinpoint.EventTypeWord, Hash: 1})
		if e, err := tx.Endpoint("kept"); e != nil || err != nil {
			t.Errorf("Endpoint of what was deleted = %v, %v, want nil", e, err)
		}
		if e, err := tx.Endpoint("new"); e == nil || err != nil {
			t.Errorf("Endpoint of what was put = %v, %v, want it", e, err)
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("Change = %v, want %v", err, refusal)
	}
	if got := ofUser(t, s, acme, "user", 9); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("OfUser = %q, want kept alone", got)
	}
	if words, err := s.Words(within(t), acme); len(words) != 0 || err != nil {
		t.Errorf("Words = %v, %v, want none", words, err)
	}
}

func TestIndexesFollow(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	put(t, s, acme, endpoint("a", "u"), endpoint("b", "u"), endpoint("c", "uu"), endpoint("d", ""))
	if got := ofUser(t, s, acme, "u", 9); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("OfUser(u) = %q, want a and b", got)
	}
	if got := ofUser(t, s, acme, "u", 1); !slices.Equal(got, []string{"a"}) {
		t.Errorf("OfUser(u, 1) = %q, want a", got)
	}
	if got := ofUser(t, s, acme, "", 9); len(got) != 0 {
		t.Errorf("OfUser of nobody = %q, want none", got)
	}
	err := s.Change(within(t), acme, func(tx pinpoint.EndpointTx) error {
		tx.Put(endpoint("a", "uu"))
		inactive := endpoint("b", "u")
		inactive.Status = pinpoint.StatusInactive
		tx.Put(inactive)
		tx.Delete("c")
		tx.Put(endpoint("e", "u"))
		for _, q := range []struct {
			user string
			want []string
		}{{"u", []string{"b", "e"}}, {"uu", []string{"a"}}} {
			got, err := tx.OfUser(q.user, 9)
			if err != nil || !slices.Equal(idsOf(got), q.want) {
				t.Errorf("within the edit OfUser(%q) = %q, %v, want %q", q.user, idsOf(got), err, q.want)
			}
		}
		if got, err := tx.ActiveAt("b@example.com", 9); len(got) != 0 || err != nil {
			t.Errorf("ActiveAt of an inactive endpoint = %q, %v, want none", idsOf(got), err)
		}
		if got, err := tx.ActiveAt("e@example.com", 9); len(got) != 1 || err != nil {
			t.Errorf("ActiveAt = %q, %v, want e", idsOf(got), err)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Change = %v", err)
	}
	if got := ofUser(t, s, acme, "uu", 9); !slices.Equal(got, []string{"a"}) {
		t.Errorf("OfUser(uu) = %q, want a", got)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	want := []pinpoint.Word{{Kind: pinpoint.AttributeKeyWord, Hash: 1 << 63}, {Kind: pinpoint.EventTypeWord, Hash: 7}}
	for range 2 {
		err := s.Change(within(t), acme, func(tx pinpoint.EndpointTx) error {
			for _, w := range want {
				tx.AddWord(w)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("Change = %v", err)
		}
	}
	got, err := s.Words(within(t), acme)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("Words = %v (-want +got):\n%s", err, d)
	}
	if got, err := s.Words(within(t), other); len(got) != 0 || err != nil {
		t.Errorf("Words of another region = %v, %v, want none", got, err)
	}
}

// What readers are given does not lie in the file, whose pages are used again.
func TestReadersKeepWhatTheyWereGiven(t *testing.T) {
	t.Parallel()
	s := open(t, Options{CacheBytes: 1}) // nothing is cached
	want := endpoint("a", "user")
	put(t, s, acme, want)
	got := get(t, s, acme, "a")
	for i := range 50 {
		next := endpoint("a", fmt.Sprintf("another %d", i))
		next.Attributes["plan"] = []string{strings.Repeat("x", 5000)}
		put(t, s, acme, next, endpoint(fmt.Sprint(i), "user"))
	}
	if d := diff(want, got); d != "" {
		t.Errorf("what was read has changed (-want +got):\n%s", d)
	}
}

func TestDropIsSeenAtOnceAndClearedBitByBit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "endpoints.db")
	s := open(t, Options{Path: path})
	var all []*pinpoint.Endpoint
	for i := range 3 * maxCleared {
		all = append(all, endpoint(fmt.Sprintf("%06d", i), "user"))
	}
	put(t, s, acme, all...)
	put(t, s, other, endpoint("kept", "user"))
	if err := s.Drop(within(t), acme); err != nil {
		t.Fatalf("Drop = %v, want nil", err)
	}
	if got := get(t, s, acme, "000001"); got != nil {
		t.Errorf("Endpoint of a dropped app = %v, want nil", got)
	}
	if got := ofUser(t, s, acme, "user", 9); len(got) != 0 {
		t.Errorf("OfUser of a dropped app = %q, want none", got)
	}
	// An app of the same ID, as an import makes it, begins with nothing.
	put(t, s, acme, endpoint("000002", "user"))
	if got := ofUser(t, s, acme, "user", 9); !slices.Equal(got, []string{"000002"}) {
		t.Errorf("OfUser of the app that came again = %q, want 000002", got)
	}
	shut(t, s)
	s = open(t, Options{Path: path})
	deadline := time.Now().Add(patience)
	for keys(t, s, bucketDropped) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d keys of dropped apps are left", keys(t, s, bucketDropped))
		}
		put(t, s, other, endpoint("kept", "user")) // clearing goes on beside other work
	}
	if n := keys(t, s, bucketEndpoints); n != 2 {
		t.Errorf("%d endpoints are left, want 2", n)
	}
	if n := keys(t, s, bucketIndex); n != 4 {
		t.Errorf("%d keys of indexes are left, want 4", n)
	}
	if err := s.Drop(within(t), pinpoint.AppKey{App: "none"}); err != nil {
		t.Errorf("Drop of nothing = %v, want nil", err)
	}
}

func keys(t testing.TB, s *Store, bucket []byte) (n int) {
	t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		n = tx.Bucket(bucket).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatalf("View = %v", err)
	}
	return n
}

// Many who change the same endpoint lose nothing, and share transactions.
func TestChangesAreOneAfterTheOther(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s := open(t, Options{Registerer: registry})
	put(t, s, acme, &pinpoint.Endpoint{App: acme.App, ID: "a"})
	const writers, each = 16, 20
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for range each {
				err := s.Change(within(t), acme, func(tx pinpoint.EndpointTx) error {
					e, err := tx.Endpoint("a")
					if err != nil {
						return err
					}
					e = e.Clone()
					if e.Metrics == nil {
						e.Metrics = map[string]float64{}
					}
					e.Metrics[fmt.Sprint(w)]++
					tx.Put(e)
					return nil
				})
				if err != nil {
					t.Errorf("Change = %v, want nil", err)
				}
				if got := get(t, s, acme, "a").Metrics[fmt.Sprint(w)]; got < 1 {
					t.Errorf("a read after the change does not see it: %v", got)
				}
			}
		})
	}
	all.Wait()
	got := get(t, s, acme, "a")
	for w := range writers {
		if n := got.Metrics[fmt.Sprint(w)]; n != each {
			t.Errorf("writer %d has counted %v, want %d", w, n, each)
		}
	}
	if n := testutil.CollectAndCount(s.metrics.commits); n != 1 {
		t.Errorf("the histogram of commits has %d series, want 1", n)
	}
	if n := testutil.ToFloat64(s.metrics.bytes); n < 4096 {
		t.Errorf("the file has %v bytes, want some", n)
	}
}

func TestFullStoreTakesRemovalsOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "endpoints.db")
	s := open(t, Options{Path: path})
	put(t, s, acme, endpoint("a", "user"), endpoint("b", "user"))
	shut(t, s)
	s = open(t, Options{Path: path, MaxBytes: 1})
	err := s.Change(within(t), acme, func(tx pinpoint.EndpointTx) error { tx.Put(endpoint("c", "user")); return nil })
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("Change of a full store = %v, want unavailable", err)
	}
	if err := s.Change(within(t), acme, func(tx pinpoint.EndpointTx) error { tx.Delete("a"); return nil }); err != nil {
		t.Errorf("a removal from a full store = %v, want nil", err)
	}
	if got := ofUser(t, s, acme, "user", 9); !slices.Equal(got, []string{"b"}) {
		t.Errorf("OfUser = %q, want b", got)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	path := filepath.Join(t.TempDir(), "endpoints.db")
	s := open(t, Options{Path: path, Registerer: registry})
	put(t, s, acme, endpoint("a", "user"))
	if _, err := Open(Options{Path: path}); err == nil {
		t.Error("Open of a file that is open = nil, want an error")
	}
	shut(t, s)
	shut(t, s)
	if err := s.Change(within(t), acme, func(pinpoint.EndpointTx) error { return nil }); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Change of a closed store = %v, want unavailable", err)
	}
	if _, err := s.OfUser(within(t), acme, "user", 1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("OfUser of a closed store = %v, want unavailable", err)
	}
	open(t, Options{Path: path, Registerer: registry}) // the metrics are free again
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "endpoints.db")
	s := open(t, Options{Path: path})
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(boltfile.Meta).Put(boltfile.KeyVersion, []byte{layout + 1}) })
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	if _, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "layout") {
		t.Errorf("Open of a later layout = %v, want it refused", err)
	}
	if _, err := Open(Options{Path: t.TempDir()}); err == nil {
		t.Error("Open of a directory = nil, want an error")
	}
}

func TestChangeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	begun, goOn := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- s.Change(context.Background(), acme, func(pinpoint.EndpointTx) error {
			close(begun)
			<-goOn
			return nil
		})
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Change(ctx, acme, func(pinpoint.EndpointTx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Change = %v, want canceled", err)
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Errorf("the change before it = %v, want nil", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, Options{CacheBytes: 1 << 20})
	for i := range 40 {
		var all []*pinpoint.Endpoint
		for j := range 100 {
			all = append(all, endpoint(fmt.Sprintf("%d-%d", i, j), "user"))
		}
		put(t, s, acme, all...)
	}
	if n := s.cache.size(); n <= 0 || n > 1<<20 {
		t.Errorf("the cache has %v bytes, want 1 to %d", n, 1<<20)
	}
	for i := range 40 {
		if get(t, s, acme, fmt.Sprintf("%d-0", i)) == nil {
			t.Errorf("endpoint %d-0 is lost", i)
		}
	}
	if n := s.cache.size(); n > 1<<20 {
		t.Errorf("after reading the cache has %v bytes, want at most %d", n, 1<<20)
	}
}
