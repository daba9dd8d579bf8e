package fanout_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/fanout"
)

func TestReplaySendsEventsAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a", "b", "c"}, func(t *testing.T, r *rig) {
		r.sets.put("other", "d")
		r.set.ParkCount = 7
		r.start(t)
		events := r.publishCalls("s", 10, 3)
		r.publish("other", 4)
		synctest.Wait()
		r.sets.change("s", "c", func(d *configset.EventDestination) { d.Enabled = false })
		events = append(events, r.publishCalls("nobody", 2, 1)...)
		n, err := r.courier.Replay(t.Context(), events, func(s fanout.Subscriber) bool { return s.Name != "b" })
		if n != 30 || err != nil {
			t.Errorf("Replay = %d, %v, want the 30 of a", n, err)
		}
		synctest.Wait()
		ids := idsOf(events[:30])
		for name, want := range map[string][]string{"a": append(slices.Clone(ids), ids...), "b": ids, "c": ids} {
			if diff := cmp.Diff(want, r.far.arrived(name)); diff != "" {
				t.Errorf("arrived at %s (-want +got):\n%s", name, diff)
			}
		}
		if n, err := r.courier.Replay(t.Context(), events, nil); n != 60 || err != nil {
			t.Errorf("Replay to everybody = %d, %v, want the 60 of a and b", n, err)
		}
		synctest.Wait()
		wantClear(t, r)
	})
}

func TestAReplayIsOnDiskWhenItReturns(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.start(t)
		events := r.publishCalls("s", 5, 2)
		after(10 * time.Minute)
		before := len(r.far.tried("a"))
		if n, err := r.courier.Replay(t.Context(), events, nil); n != 10 || err != nil {
			t.Errorf("Replay = %d, %v", n, err)
		}
		synctest.Wait()
		if n := len(r.far.tried("a")) - before; n != 0 {
			t.Errorf("%d attempts: a replay is no reason to disturb a destination that rests", n)
		}
		if got := r.status(t, subscriber("s", "a")); got.Parked != 20 {
			t.Errorf("%d are parked, want 20", got.Parked)
		}
		r.far.script("a", nil)
		r.crash(t)
		after(time.Minute)
		counts := map[string]int{}
		for _, id := range r.far.arrived("a") {
			counts[id]++
		}
		for _, e := range events {
			if counts[e.ID] < 2 { // the crash may repeat
				t.Errorf("%s arrived %d times, want 2", e.ID, counts[e.ID])
			}
		}
		wantClear(t, r)
	})
}

func TestAReplayedEventHasItsOwnTime(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.start(t)
		r.publish("s", 1)
		after(23 * time.Hour)
		events := r.publishCalls("s", 1, 1)
		after(time.Minute)
		if _, err := r.courier.Replay(t.Context(), events, nil); err != nil {
			t.Fatalf("Replay = %v", err)
		}
		after(3 * time.Hour)
		if n := len(r.morgue.all()); n != 1 {
			t.Errorf("%d dead letters, want only the one that is a day old", n)
		}
		after(24 * time.Hour)
		if n := len(r.morgue.all()); n != 3 {
			t.Errorf("%d dead letters in the end, want 3", n)
		}
	})
}

func TestReplayFails(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a", "b"}, func(t *testing.T, r *rig) {
		r.set.ParkCount = 4
		courier := fanout.NewCourier(fanout.Parts{}, fanout.Settings{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := courier.Replay(ctx, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Replay before Run = %v, want that it waits", err)
		}
		r.start(t)
		events := r.publishCalls("s", 10, 1)
		synctest.Wait()
		r.lot.set(func(l *memoryLot) { l.space = 2 })
		if n, err := r.courier.Replay(t.Context(), events, nil); n != 8 || !errors.Is(err, errFull) {
			t.Errorf("Replay on a disk that is filling up = %d, %v, want 8 and the error", n, err)
		}
		r.lot.set(func(l *memoryLot) { l.full = false })
		after(time.Minute)
		if got := r.far.arrived("a"); len(got) != 18 {
			t.Errorf("%d arrived, want 10 and 8 of them again", len(got))
		}
	})
}
