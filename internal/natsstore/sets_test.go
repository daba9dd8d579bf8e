package natsstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func setKeyOf(name string) configset.Key {
	return configset.Key{Tenant: acme, Scope: configset.Voice, Name: name}
}

func setOf(name string) *configset.Set {
	return &configset.Set{
		Name: name, Created: time.UnixMilli(1_700_000_000_123).UTC(),
		Destinations: []configset.EventDestination{{
			Name: "all", Enabled: true, Types: []event.Type{event.VoiceInitiated, event.VoiceCompleted},
			Destination: configset.Destination{Kind: configset.KinesisFirehose, ARN: "arn:aws:firehose:us-east-1:123456789012:deliverystream/x", Role: "arn:aws:iam::123456789012:role/x"},
		}, {
			Name: "off", Destination: configset.Destination{Kind: configset.SNS, ARN: "arn:aws:sns:us-east-1:123456789012:x"},
		}},
	}
}

func create(t testing.TB, s *Store, key configset.Key) *configset.Set {
	t.Helper()
	if err := s.ConfigurationSets().Create(within(t), key, setOf(key.Name)); err != nil {
		t.Fatalf("Create(%v) = %v, want nil", key, err)
	}
	return get(t, s, key)
}

func get(t testing.TB, s *Store, key configset.Key) *configset.Set {
	t.Helper()
	set, ok := s.ConfigurationSets().Get(key)
	if !ok {
		t.Fatalf("Get(%v) = nothing, want a set", key)
	}
	return set
}

func TestSetsLiveOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	sets := s.ConfigurationSets()
	key := setKeyOf("one")
	if _, ok := sets.Get(key); ok {
		t.Errorf("Get of nothing = a set")
	}
	want := setOf("one")
	if err := sets.Create(within(t), key, want); err != nil {
		t.Fatalf("Create = %v, want nil", err)
	}
	got := get(t, s, key)
	want.Revision = got.Revision
	diff(t, "created set", got, want)
	wantFault(t, "second Create", sets.Create(within(t), key, setOf("one")), fault.Exists)

	changed := got.Clone()
	changed.Destinations = changed.Destinations[:1]
	changed.Destinations[0].Enabled = false
	if err := sets.Update(within(t), key, changed); err != nil {
		t.Fatalf("Update = %v, want nil", err)
	}
	if err := sets.Update(within(t), key, changed); !errors.Is(err, configset.ErrChanged) {
		t.Errorf("Update with an old revision = %v, want ErrChanged", err)
	}
	got = get(t, s, key)
	changed.Revision = got.Revision
	diff(t, "updated set", got, changed)
	gone := setKeyOf("gone")
	create(t, s, gone)
	if err := sets.Delete(within(t), gone); err != nil {
		t.Fatalf("Delete = %v, want nil", err)
	}
	closeStore(t, s)

	s = openStore(t, Options{Dir: dir})
	diff(t, "set after a restart", get(t, s, key), changed)
	if n := s.ConfigurationSets().Count(acme, configset.Voice); n != 1 {
		t.Errorf("Count = %d, want 1", n)
	}
	create(t, s, gone) // over the marker of the deleted one
}

func TestSetsComeAndGo(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	sets := s.ConfigurationSets()
	key := setKeyOf("x")
	wantFault(t, "Delete of nothing", sets.Delete(within(t), key), fault.NotFound)
	wantFault(t, "Update of nothing", sets.Update(within(t), key, setOf("x")), fault.NotFound)
	for range 5 {
		set := create(t, s, key)
		if err := sets.Delete(within(t), key); err != nil {
			t.Fatalf("Delete = %v, want nil", err)
		}
		if _, ok := sets.Get(key); ok {
			t.Error("Get after Delete = a set")
		}
		wantFault(t, "Update after Delete", sets.Update(within(t), key, set), fault.NotFound)
	}
	// A marker that was forgotten, as it is when its time is over.
	s.sets.index.mu.Lock()
	clear(s.sets.index.gone)
	s.sets.index.mu.Unlock()
	create(t, s, key)
	for _, bad := range []string{"", "a.b", "*", "a b", "é"} {
		if err := sets.Create(within(t), setKeyOf(bad), setOf(bad)); err == nil {
			t.Errorf("Create(%q) = nil, want an error", bad)
		}
	}
}

func TestSetsAreListed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	for _, name := range []string{"b", "B", "a-1", "a", "_", "c", "10", "9"} {
		create(t, s, setKeyOf(name))
	}
	other := setKeyOf("z")
	other.Tenant = tenant.Tenant{Account: acme.Account, Region: "eu-west-1"}
	create(t, s, other)
	for range 2 {
		sets := s.ConfigurationSets()
		all := []string{"10", "9", "B", "_", "a", "a-1", "b", "c"}
		for _, test := range []struct {
			after string
			limit int
			want  []string
			more  bool
		}{
			{"", 100, all, false},
			{"", 8, all, false},
			{"", 3, all[:3], true},
			{"B", 2, all[3:5], true},
			{"a", 3, all[5:], false},
			{"aa", 1, all[6:7], true}, // one that is gone
			{"c", 5, []string{}, false},
			{"zz", 5, []string{}, false},
		} {
			names, more := sets.List(acme, configset.Voice, test.after, test.limit)
			diff(t, fmt.Sprintf("List(%q, %d)", test.after, test.limit), names, test.want)
			if more != test.more {
				t.Errorf("List(%q, %d) says more = %v, want %v", test.after, test.limit, more, test.more)
			}
		}
		if n := sets.Count(other.Tenant, configset.Voice); n != 1 {
			t.Errorf("Count of the other region = %d, want 1", n)
		}
		closeStore(t, s)
		s = openStore(t, Options{Dir: dir})
	}
}

func TestConcurrentUpdates(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	sets := s.ConfigurationSets()
	key := setKeyOf("x")
	create(t, s, key)
	const writers, each = 8, 10
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for done := 0; done < each; {
				set := get(t, s, key).Clone()
				set.Created = set.Created.Add(time.Second)
				switch err := sets.Update(within(t), key, set); {
				case err == nil:
					done++
				case !errors.Is(err, configset.ErrChanged):
					t.Errorf("Update = %v, want nil or ErrChanged", err)
					return
				}
			}
		})
	}
	all.Wait()
	if got, want := get(t, s, key).Created, setOf("x").Created.Add(writers*each*time.Second); !got.Equal(want) {
		t.Errorf("after %d updates Created = %v, want %v: an update was lost", writers*each, got, want)
	}
	var created, exists int
	var mu sync.Mutex
	for range writers {
		all.Go(func() {
			err := sets.Create(within(t), setKeyOf("y"), setOf("y"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				created++
			case fault.Is(err, fault.Exists):
				exists++
			default:
				t.Errorf("Create = %v, want nil or Exists", err)
			}
		})
	}
	all.Wait()
	if created != 1 || exists != writers-1 {
		t.Errorf("%d creations of one name succeeded, %d exist; want 1 and %d", created, exists, writers-1)
	}
}

// TestWatcherBringsOtherWriters writes behind the store's back, as another node does.
func TestWatcherBringsOtherWriters(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	value, err := encodeSet(setOf("x"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := setKey(setKeyOf("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sess.sets.Put(t.Context(), k, value); err != nil {
		t.Fatal(err)
	}
	sets := s.ConfigurationSets()
	waitFor(t, "the set to appear", func() bool { _, ok := sets.Get(setKeyOf("x")); return ok })
	if err := sess.sets.Delete(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the set to go", func() bool { _, ok := sets.Get(setKeyOf("x")); return !ok })
}

func TestDeletedSetsLeaveNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	create(t, s, setKeyOf("x"))
	if err := s.ConfigurationSets().Delete(within(t), setKeyOf("x")); err != nil {
		t.Fatal(err)
	}
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	st, err := sess.js.Stream(t.Context(), "KV_"+bucketSets)
	if err != nil {
		t.Fatal(err)
	}
	m, err := st.GetLastMsgForSubject(context.WithoutCancel(t.Context()), "$KV.CONFIG.123456789012.us-east-1.voice.x")
	if err != nil || m.Header.Get(jetstream.MsgTTLHeader) == "" {
		t.Errorf("the marker of a deleted set = %v, %v, want one that ends by itself", m, err)
	}
}

func TestIndexTakesNewsInAnyOrder(t *testing.T) {
	t.Parallel()
	x := newSetIndex()
	key := setKeyOf("x")
	at := func(revision uint64) *configset.Set { return &configset.Set{Name: "x", Revision: revision} }
	x.put(key, at(5))
	x.put(key, at(4)) // late
	if s, _ := x.get(key); s.Revision != 5 {
		t.Errorf("revision = %d, want 5", s.Revision)
	}
	x.remove(key, 3) // late
	if _, ok := x.get(key); !ok {
		t.Error("an old removal has removed a newer set")
	}
	x.remove(key, 6)
	x.put(key, at(5)) // late
	if _, ok := x.get(key); ok || x.count(acme, configset.Voice) != 0 {
		t.Error("a late put has brought a removed set back")
	}
	x.put(key, at(7))
	if s, ok := x.get(key); !ok || s.Revision != 7 || x.count(acme, configset.Voice) != 1 {
		t.Error("a put behind the removal was not taken")
	}
}
