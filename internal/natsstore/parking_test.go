package natsstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
)

func subscriber(name string) fanout.Subscriber {
	return fanout.Subscriber{Tenant: acme, Scope: configset.Voice, Set: "calls_1", Name: name}
}

func delivery(i int) fanout.Delivery {
	d := fanout.Delivery{Event: eventOf(message(i), event.VoiceBusy), Attempts: i}
	if i > 0 {
		d.FirstFailed, d.LastError = time.UnixMilli(1_700_000_000_000+int64(i)).UTC(), "connection refused"
	}
	return d
}

func park(t testing.TB, s *Store, sub fanout.Subscriber, ds ...fanout.Delivery) {
	t.Helper()
	if err := s.Parking().Park(within(t), sub, ds); err != nil {
		t.Fatalf("Park(%v) = %v, want nil", sub, err)
	}
}

// parked reads all that is parked for sub.
func parked(t testing.TB, s *Store, sub fanout.Subscriber) (ds []fanout.Delivery, seqs []uint64) {
	t.Helper()
	var after uint64
	for {
		p, err := s.Parking().Next(within(t), sub, after)
		if err != nil {
			t.Fatalf("Next(%v, %d) = %v, want nil", sub, after, err)
		}
		if p == nil {
			return ds, seqs
		}
		ds, seqs, after = append(ds, p.Deliveries...), append(seqs, p.Seq), p.Seq
	}
}

func TestParking(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	a, b, none := subscriber("a"), subscriber("b"), subscriber("none")
	began := time.Now().Add(-time.Second)
	park(t, s, a, delivery(0), delivery(1))
	park(t, s, b, delivery(2))
	park(t, s, a, delivery(3))
	park(t, s, b)
	for range 2 {
		got, seqs := parked(t, s, a)
		diff(t, "parked for a", got, []fanout.Delivery{delivery(0), delivery(1), delivery(3)})
		diff(t, "sequences for a", seqs, []uint64{1, 3})
		got, _ = parked(t, s, b)
		diff(t, "parked for b", got, []fanout.Delivery{delivery(2)})
		if got, _ := parked(t, s, none); got != nil {
			t.Errorf("parked for nobody = %v, want nothing", got)
		}
		all, err := s.Parking().Backlogs(within(t))
		if err != nil {
			t.Fatalf("Backlogs = %v, want nil", err)
		}
		if len(all) != 2 || all[a].Deliveries != 3 || all[b].Deliveries != 1 || all[a].Oldest.Before(began) || !all[a].Oldest.Before(all[b].Oldest) {
			t.Errorf("Backlogs = %v, want 3 deliveries for a and 1, younger, for b", all)
		}
		closeStore(t, s)
		s = openStore(t, Options{Dir: dir})
	}
	for range 2 {
		if err := s.Parking().Remove(within(t), 1, 2, 99); err != nil {
			t.Errorf("Remove = %v, want nil", err)
		}
	}
	got, _ := parked(t, s, a)
	diff(t, "parked for a after Remove", got, []fanout.Delivery{delivery(3)})
	if err := s.Parking().Remove(within(t), 3); err != nil {
		t.Errorf("Remove = %v, want nil", err)
	}
	if all, err := s.Parking().Backlogs(within(t)); err != nil || len(all) != 0 {
		t.Errorf("Backlogs of an empty lot = %v, %v, want nothing", all, err)
	}
	bad := a
	bad.Name = "a.b"
	if err := s.Parking().Park(within(t), bad, []fanout.Delivery{delivery(1)}); err == nil {
		t.Errorf("Park(%v) = nil, want an error", bad)
	}
}

func TestParkingSplitsLargePacks(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	var want []fanout.Delivery
	for i := range 5 {
		d := delivery(i)
		d.Event.Record = make([]byte, maxPackBytes/3)
		want = append(want, d)
	}
	park(t, s, subscriber("a"), want...)
	got, seqs := parked(t, s, subscriber("a"))
	if len(got) != len(want) || len(seqs) != 3 {
		t.Errorf("%d deliveries came back in %d packs, want %d in 3", len(got), len(seqs), len(want))
	}
	for i := range got {
		if got[i].Event.ID != want[i].Event.ID {
			t.Errorf("delivery %d is of %s, want %s", i, got[i].Event.ID, want[i].Event.ID)
		}
	}
}

func TestInPacks(t *testing.T) {
	t.Parallel()
	ds := make([]fanout.Delivery, maxPackRecords+1)
	var counts, firsts []int
	err := inPacks(ds, recordOfDelivery, func(_ []byte, count, first int) error {
		counts, firsts = append(counts, count), append(firsts, first)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "counts", counts, []int{maxPackRecords, 1})
	diff(t, "firsts", firsts, []int{0, maxPackRecords})
	stop := errors.New("stop")
	if err := inPacks(ds[:1], recordOfDelivery, func([]byte, int, int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("inPacks = %v, want %v", err, stop)
	}
}

func letter(i int) fanout.DeadLetter {
	return fanout.DeadLetter{
		Subscriber: subscriber(fmt.Sprint("d", i)), Delivery: delivery(i), Reason: "no such topic",
		Died: time.UnixMilli(1_700_000_001_000 + int64(i)).UTC(),
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	bury := func(letters ...fanout.DeadLetter) {
		t.Helper()
		if err := s.DeadLetters().Bury(within(t), letters...); err != nil {
			t.Fatalf("Bury = %v, want nil", err)
		}
	}
	list := func(after string, limit int) []fanout.DeadLetter {
		t.Helper()
		letters, err := s.DeadLetters().List(within(t), after, limit)
		if err != nil {
			t.Fatalf("List(%q, %d) = %v, want nil", after, limit, err)
		}
		return letters
	}
	want := func(what string, ids ...int) {
		t.Helper()
		var names []int
		for _, l := range list("", 100) {
			names = append(names, l.Delivery.Attempts)
		}
		diff(t, what, names, ids)
		if n, err := s.DeadLetters().Count(within(t)); err != nil || n != len(ids) {
			t.Errorf("%s: Count = %d, %v, want %d", what, n, err, len(ids))
		}
	}
	restart := func() {
		t.Helper()
		closeStore(t, s)
		s = openStore(t, Options{Dir: dir})
	}
	want("nobody has died")
	bury(letter(0), letter(1), letter(2))
	bury(letter(3))
	bury(letter(4), letter(5))
	want("six", 0, 1, 2, 3, 4, 5)
	all := list("", 100)
	for i, got := range all {
		l := letter(i)
		l.ID = got.ID
		diff(t, "letter", got, l)
		if after := list(got.ID, 2); len(after) != min(2, 5-i) || len(after) > 0 && after[0].Delivery.Attempts != i+1 {
			t.Errorf("List behind letter %d = %v", i, after)
		}
	}
	restart()
	diff(t, "letters after a restart", list("", 100), all)

	remove := func(ids ...string) {
		t.Helper()
		for range 2 {
			if err := s.DeadLetters().Remove(within(t), ids...); err != nil {
				t.Errorf("Remove(%v) = %v, want nil", ids, err)
			}
		}
	}
	remove(all[1].ID, all[3].ID)
	want("two were removed", 0, 2, 4, 5)
	restart()
	want("two were removed, after a restart", 0, 2, 4, 5)
	if behind := list(all[1].ID, 1); len(behind) != 1 || behind[0].ID != all[2].ID {
		t.Errorf("List behind a removed letter = %v, want letter 2", behind)
	}
	remove(all[0].ID, all[2].ID, all[5].ID, "999-0")
	want("the first pack is gone", 4)
	restart()
	want("the first pack is gone, after a restart", 4)
	remove(all[4].ID)
	want("all were removed")
	if n := stateOf(t, s, streamDeadLetters).Msgs; n != 0 {
		t.Errorf("%d messages are left of no letters, want 0", n)
	}
	bury(letter(7))
	want("one more", 7)
	for _, id := range []string{"x", "1", "1-x", "-1-1", "1--1"} {
		if err := s.DeadLetters().Remove(within(t), id); err == nil {
			t.Errorf("Remove(%q) = nil, want an error", id)
		}
		if _, err := s.DeadLetters().List(within(t), id, 1); err == nil {
			t.Errorf("List(%q) = nil, want an error", id)
		}
	}
}
