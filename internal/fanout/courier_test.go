package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/fanout"
	"tidings/internal/sink"
)

// wantArrived checks what arrived at the target, in order.
func wantArrived(tb testing.TB, r *rig, name string, want []string) {
	tb.Helper()
	if diff := cmp.Diff(want, r.far.arrived(name)); diff != "" {
		tb.Errorf("arrived at %s (-want +got):\n%s", name, diff)
	}
}

// wantClear checks that nothing is owed any more.
func wantClear(tb testing.TB, r *rig) {
	tb.Helper()
	if n := r.log.unacknowledged(); n != 0 {
		tb.Errorf("%d packs are not acknowledged", n)
	}
	if n := len(r.lot.packs); n != 0 {
		tb.Errorf("%d packs are parked", n)
	}
}

func TestEventsArriveInOrder(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a", "b"}, func(t *testing.T, r *rig) {
		r.start(t)
		ids := r.publish("s", 250)
		r.publish("nobody", 3)
		r.publish("", 3)
		synctest.Wait()
		wantArrived(t, r, "a", ids)
		wantArrived(t, r, "b", ids)
		wantClear(t, r)
		if got := r.status(t, subscriber("s", "a")); got.State != fanout.OK || got.Delivered != 250 || got.Pending != 0 || got.Driver != "far" || !got.Oldest.IsZero() {
			t.Errorf("Status = %+v", got)
		}
	})
}

func TestBatchesKeepTheLimits(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits = sink.Limits{Count: 7, Bytes: 40} // five records of 7 or 8 bytes
		r.publish("s", 50)
		r.start(t)
		synctest.Wait()
		for _, a := range r.far.tried("a") {
			if len(a.ids) > 5 {
				t.Errorf("a batch of %d, want at most 5", len(a.ids))
			}
		}
		if n := len(r.far.arrived("a")); n != 50 {
			t.Errorf("%d arrived, want 50", n)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.start(t)
		ids := r.publish("s", 300)
		after(30 * time.Minute)
		if n := r.log.unacknowledged(); n != 0 {
			t.Errorf("%d packs wait for a destination that is down", n)
		}
		tried := r.far.tried("a")
		for i := 2; i < len(tried)-1; i++ {
			// The first retry may fail for the same delivery, before the courier knows that
			// it is not the delivery: from then on the pauses double.
			most := min(time.Second<<i, 5*time.Minute)
			if pause := tried[i+1].at.Sub(tried[i].at); pause < most/2 || pause > most {
				t.Errorf("pause %d is %v, want %v to %v", i, pause, most/2, most)
			}
			if len(tried[i].ids) != 1 {
				t.Errorf("attempt %d had %d deliveries, want a probe of one", i, len(tried[i].ids))
			}
		}
		if len(tried) < 10 {
			t.Errorf("%d attempts in half an hour, want some more", len(tried))
		}
		status := r.status(t, subscriber("s", "a"))
		if status.State != fanout.Failing || status.Parked != 300 || status.LastError != errDown.Error() || status.Lag < 1_700 {
			t.Errorf("Status = %+v", status)
		}
		if until := time.Until(status.RetryAt); until <= 0 || until > 5*time.Minute {
			t.Errorf("retry in %v", until)
		}
		if r.lot.parks > 40 {
			t.Errorf("parked %d times for 300 deliveries and some probes", r.lot.parks)
		}

		r.far.script("a", nil)
		late := r.publish("s", 5)
		after(5 * time.Minute)
		got := r.far.arrived("a")
		if diff := cmp.Diff(slices.Sorted(slices.Values(append(ids, late...))), slices.Sorted(slices.Values(got))); diff != "" {
			t.Errorf("arrived after healing:\n%s", diff)
		}
		// Those never tried keep their order; the probes went to the tail.
		probes := map[string]bool{}
		for _, a := range tried {
			if len(a.ids) == 1 {
				probes[a.ids[0]] = true
			}
		}
		untried := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return probes[id] })
		if !slices.IsSorted(untried) {
			t.Error("deliveries that were never tried alone lost their order")
		}
		wantClear(t, r)
		if status := r.status(t, subscriber("s", "a")); status.State != fanout.OK || status.Parked != 0 {
			t.Errorf("Status after healing = %+v", status)
		}
	})
}

func TestAHiccupCostsNoWrite(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		var once sync.Once
		r.far.script("a", func(context.Context, []sink.Delivery) (err error) {
			once.Do(func() { err = errDown })
			return err
		})
		r.start(t)
		ids := r.publish("s", 50)
		after(2 * time.Second)
		wantArrived(t, r, "a", ids)
		wantClear(t, r)
		if r.lot.parks != 0 {
			t.Errorf("parked %d times for a failure of a moment", r.lot.parks)
		}
	})
}

func TestAHangingDestinationDelaysNobody(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		healthy := make([]string, 100)
		for i := range healthy {
			healthy[i] = fmt.Sprintf("healthy-%d", i)
		}
		r.sets.put("s", append([]string{"stuck"}, healthy...)...)
		r.far.script("stuck", hang)
		r.start(t)
		synctest.Wait()
		began := time.Now()
		var ids []string
		for range 50 {
			ids = append(ids, r.publish("s", 20)...)
			synctest.Wait()
			if len(r.far.arrived(healthy[99])) != len(ids) {
				t.Fatalf("%d of %d events arrived before any time passed", len(r.far.arrived(healthy[99])), len(ids))
			}
		}
		if passed := time.Since(began); passed != 0 {
			t.Errorf("the healthy ones took %v", passed)
		}
		for _, name := range healthy {
			wantArrived(t, r, name, ids)
		}
		after(3 * time.Second)
		if n := r.log.unacknowledged(); n != 0 {
			t.Errorf("%d packs still wait for the stuck one after 3 s", n)
		}
		if got := r.status(t, subscriber("s", "stuck")); got.State != fanout.Slow || got.Parked != 1_000 {
			t.Errorf("Status = %+v", got)
		}
		after(30 * time.Second)
		if got := r.status(t, subscriber("s", "stuck")); got.State != fanout.Failing || got.LastError != "no answer within 30s: context deadline exceeded" {
			t.Errorf("Status = %+v", got)
		}
		r.far.script("stuck", nil)
		after(time.Minute)
		if got := r.far.arrived("stuck"); len(got) != 1_000 {
			t.Errorf("%d arrived after healing, want 1,000", len(got))
		}
		wantClear(t, r)
	})
}

func TestASlowAttemptThatSucceedsIsNotRepeated(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", func(ctx context.Context, _ []sink.Delivery) error {
			time.Sleep(20 * time.Second)
			return nil
		})
		r.start(t)
		first := r.publish("s", 1)
		synctest.Wait()
		rest := r.publish("s", 30)
		after(3 * time.Second)
		if n := r.log.unacknowledged(); n != 0 || len(r.lot.events(subscriber("s", "a"))) != 31 {
			t.Errorf("%d packs wait and %v is parked, want all 31 deliveries parked", n, r.lot.events(subscriber("s", "a")))
		}
		after(time.Minute)
		wantArrived(t, r, "a", append(first, rest...))
		wantClear(t, r)
		if got := r.status(t, subscriber("s", "a")); got.State != fanout.OK || got.Parked != 0 || got.Delivered != 31 {
			t.Errorf("Status = %+v", got)
		}
	})
}

func TestASlowLogIsHurriedAlong(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(r *rig){
		"packs": func(r *rig) { r.inHand = 10 },
		"bytes": func(r *rig) { r.inHandBytes = 80 }, // ten records of 7 or 8 bytes
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
				limit(r)
				r.far.script("a", hang)
				r.start(t)
				r.publish("s", 1)
				synctest.Wait()
				r.publish("s", 30)
				after(250 * time.Millisecond) // much less than Settings.Slow
				if n := r.log.unacknowledged(); n > 11 {
					t.Errorf("%d packs are in hand, want about 10", n)
				}
			})
		})
	}
}

func TestAFullQueueIsParked(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"slow", "quick"}, func(t *testing.T, r *rig) {
		r.set.QueueCount, r.set.ParkCount, r.set.Concurrency = 50, 20, 1
		r.far.limits.Count = 10
		r.far.script("slow", func(context.Context, []sink.Delivery) error {
			time.Sleep(100 * time.Millisecond)
			return nil
		})
		r.start(t)
		ids := r.publish("s", 500)
		synctest.Wait()
		wantArrived(t, r, "quick", ids)
		if got := r.status(t, subscriber("s", "slow")); got.Parked < 400 || got.State != fanout.Draining {
			t.Errorf("Status = %+v", got)
		}
		after(10 * time.Second)
		wantArrived(t, r, "slow", ids) // parking keeps the order
		wantClear(t, r)
	})
}

func TestAPoisonedEventDelaysTheOthersLittle(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.start(t)
		poison := r.publish("s", 1)[0]
		r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
			for i := range batch {
				if batch[i].Event.ID == poison {
					return errors.New("500 Internal Server Error")
				}
			}
			return nil
		})
		ids := r.publish("s", 40)
		after(20 * time.Second)
		wantArrived(t, r, "a", ids)

		after(time.Hour) // the poisoned one alone is tried less and less often
		before := len(r.far.tried("a"))
		late := r.publish("s", 3)
		synctest.Wait()
		wantArrived(t, r, "a", append(ids, late...)) // without any delay
		after(time.Hour)
		if n := len(r.far.tried("a")) - before; n > 30 {
			t.Errorf("%d attempts in an hour for one event that always fails", n)
		}
		after(24 * time.Hour)
		letters := r.morgue.all()
		if len(letters) != 1 || letters[0].Delivery.Event.ID != poison || letters[0].Delivery.Attempts < 200 {
			t.Errorf("dead letters %+v, want the poisoned one after some hundred attempts", letters)
		}
		wantClear(t, r)
	})
}

func TestOneRefusedRecordDoesNotTakeOthersAlong(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		ids := r.publish("s", 60)
		r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
			for i := range batch {
				if batch[i].Event.ID == ids[17] || batch[i].Event.ID == ids[40] {
					return sink.Permanent(errors.New("malformed"))
				}
			}
			return nil
		})
		r.start(t)
		synctest.Wait()
		want := slices.Clone(ids)
		want = slices.Delete(want, 40, 41)
		wantArrived(t, r, "a", slices.Delete(want, 17, 18))
		letters := r.morgue.all()
		if len(letters) != 2 || letters[0].Delivery.Event.ID != ids[17] || letters[1].Delivery.Event.ID != ids[40] {
			t.Fatalf("dead letters %+v, want the two malformed ones", letters)
		}
		want0 := fanout.DeadLetter{
			ID: "000001", Subscriber: subscriber("s", "a"), Reason: "permanent: malformed", Died: time.Now().UTC(),
			Delivery: fanout.Delivery{Event: letters[0].Delivery.Event, Attempts: 1, FirstFailed: time.Now().UTC(), LastError: "permanent: malformed"},
		}
		if diff := cmp.Diff(want0, letters[0]); diff != "" {
			t.Errorf("dead letter:\n%s", diff)
		}
		wantClear(t, r)
	})
}
