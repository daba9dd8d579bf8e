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

	"tidings/internal/configset"
	"tidings/internal/event"
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
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.inHand = 10
		r.far.script("a", hang)
		r.start(t)
		r.publish("s", 1)
		synctest.Wait()
		r.publish("s", 30)
		after(250 * time.Millisecond) // much less than Settings.Slow
		if n := r.log.unacknowledged(); n > 10 {
			t.Errorf("%d packs are in hand, want at most 10", n)
		}
	})
}

func TestAFullQueueIsParked(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"slow", "quick"}, func(t *testing.T, r *rig) {
		r.set.QueueCount, r.set.ParkCount = 50, 20
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

func TestOnlyTheFailedPartIsRepeated(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		ids := r.publish("s", 10)
		first := true
		r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
			if !first {
				return nil
			}
			first = false
			return &sink.PartialError{Failed: map[int]error{
				1: errDown, 3: sink.Permanent(errors.New("malformed")), 9: errDown,
			}}
		})
		r.start(t)
		after(5 * time.Second)
		var want []string
		for _, i := range []int{0, 2, 4, 5, 6, 7, 8, 1, 9} {
			want = append(want, ids[i])
		}
		wantArrived(t, r, "a", want)
		if letters := r.morgue.all(); len(letters) != 1 || letters[0].Delivery.Event.ID != ids[3] {
			t.Errorf("dead letters %+v, want the malformed one", letters)
		}
		wantClear(t, r)
	})
}

func TestAPartialErrorThatMakesNoSenseFailsTheBatch(t *testing.T) {
	t.Parallel()
	for name, failed := range map[string]map[int]error{"empty": {}, "beyond the batch": {3: errDown, 99: errDown}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
				ids := r.publish("s", 10)
				first := true
				seen := map[string]int{}
				r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
					if first {
						first = false
						return &sink.PartialError{Failed: failed}
					}
					for i := range batch {
						seen[batch[i].Event.ID]++
					}
					return nil
				})
				r.start(t)
				after(5 * time.Second)
				for _, id := range ids {
					if seen[id] != 1 {
						t.Errorf("%s was repeated %d times, want 1", id, seen[id])
					}
				}
			})
		})
	}
}

func TestDeliveriesAreGivenUp(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.start(t)
		ids := r.publish("s", 50)
		after(12 * time.Hour)
		late := r.publish("s", 10)
		after(11 * time.Hour)
		if letters := r.morgue.all(); len(letters) != 0 {
			t.Errorf("%d deliveries were given up before their time", len(letters))
		}
		after(2 * time.Hour)
		dead := map[string]bool{}
		for _, letter := range r.morgue.all() {
			dead[letter.Delivery.Event.ID] = true
			if letter.Reason != "given up after 24h0m0s: connection refused" {
				t.Errorf("reason %q", letter.Reason)
			}
		}
		for _, id := range late {
			if dead[id] {
				t.Errorf("%s was given up after 13 hours", id)
			}
		}
		after(24 * time.Hour)
		if n := len(r.morgue.all()); n != len(ids)+len(late) {
			t.Errorf("%d dead letters in the end, want %d", n, len(ids)+len(late))
		}
		wantClear(t, r)
	})
}

func TestADeletedDestination(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.start(t)
		r.publish("s", 500)
		after(time.Minute)
		r.publish("s", 5) // not parked yet
		synctest.Wait()
		r.sets.remove("s")
		after(2 * time.Second)
		wantClear(t, r)
		after(2 * time.Minute)
		if all := r.courier.Status(); len(all) != 0 {
			t.Errorf("Status = %+v, want nothing of a deleted destination", all)
		}
		if letters := r.morgue.all(); len(letters) != 0 {
			t.Errorf("%d dead letters", len(letters))
		}
		r.far.script("a", nil)
		r.sets.put("s", "a")
		ids := r.publish("s", 3)
		synctest.Wait()
		wantArrived(t, r, "a", ids)
	})
}

func TestADisabledDestinationIsHeld(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		block := make(chan struct{})
		r.far.script("a", func(context.Context, []sink.Delivery) error { <-block; return nil })
		r.start(t)
		ids := r.publish("s", 1)
		synctest.Wait()
		ids = append(ids, r.publish("s", 200)...)
		synctest.Wait()
		r.sets.change("s", "a", func(d *configset.EventDestination) { d.Enabled = false })
		close(block)
		after(3 * time.Hour)
		if got := r.status(t, subscriber("s", "a")); got.State != fanout.Disabled || got.Parked != 200 || got.LastError != "destination is disabled" {
			t.Errorf("Status = %+v", got)
		}
		r.publish("s", 5) // not wanted, and not kept
		synctest.Wait()
		r.sets.change("s", "a", func(d *configset.EventDestination) { d.Enabled = true })
		after(2 * time.Second)
		wantArrived(t, r, "a", ids)
		wantClear(t, r)
	})
}

func TestAChangedDestinationIsTriedAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.start(t)
		ids := r.publish("s", 5)
		after(2 * time.Hour)
		r.sets.change("s", "a", func(d *configset.EventDestination) { d.Destination.ARN = arnOf("b") })
		after(2 * time.Second)
		got := r.far.arrived("b")
		if diff := cmp.Diff(ids, slices.Sorted(slices.Values(got))); diff != "" {
			t.Errorf("arrived at the new target:\n%s", diff)
		}
		wantClear(t, r)
	})
}

func TestWhatCannotBeParkedStaysAndHoldsTheLog(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a", "b"}, func(t *testing.T, r *rig) {
		r.set.TotalCount = 100
		r.far.script("a", down)
		r.lot.set(func(l *memoryLot) { l.full = true })
		r.start(t)
		ids := r.publish("s", 500)
		after(10 * time.Minute)
		status := r.status(t, subscriber("s", "a"))
		if status.Pending > 100 {
			t.Errorf("%d deliveries in memory, want at most 100", status.Pending)
		}
		if n := r.log.unacknowledged(); n < 400 {
			t.Errorf("%d packs wait in the log, want what memory cannot hold", n)
		}
		r.lot.set(func(l *memoryLot) { l.full = false })
		after(time.Minute)
		wantArrived(t, r, "b", ids)
		if n := r.log.unacknowledged(); n != 0 {
			t.Errorf("%d packs wait in the log though there is space again", n)
		}
		r.far.script("a", nil)
		after(10 * time.Minute)
		if got := r.far.arrived("a"); len(got) != 500 {
			t.Errorf("%d arrived, want 500", len(got))
		}
		wantClear(t, r)
	})
}

func TestMemoryIsBoundedOverManySlowDestinations(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, r *rig) {
		var names []string
		for i := range 20 {
			names = append(names, fmt.Sprintf("slow-%d", i))
			r.far.script(names[i], hang)
		}
		names = append(names, "quick")
		r.sets.put("s", names...)
		r.set.TotalCount = 1_000
		r.far.limits.Count = 5
		r.start(t)
		ids := r.publish("s", 200) // 4,000 deliveries for the slow ones
		most := 0
		for range 200 {
			after(50 * time.Millisecond)
			pending := 0
			for _, s := range r.courier.Status() {
				pending += s.Pending
			}
			most = max(most, pending)
		}
		if most > 1_000 {
			t.Errorf("%d deliveries in memory, want at most 1,000", most)
		}
		wantArrived(t, r, "quick", ids)
		if n := r.log.unacknowledged(); n != 0 {
			t.Errorf("%d packs wait", n)
		}
	})
}

func TestParkedDeliveriesComeFirstAfterARestart(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.start(t)
		old := r.publish("s", 500)
		after(3 * time.Second)
		r.far.script("a", nil)
		fresh := r.publish("s", 5)
		r.crash(t)
		after(time.Second)
		got := r.far.arrived("a")
		if n := len(got); n < 505 || !slices.Equal(got[n-5:], fresh) {
			t.Errorf("%d arrived, the last %v, want the old ones and then the new ones", n, got[max(0, n-5):])
		}
		slices.Sort(got) // a crash may repeat
		if diff := cmp.Diff(append(old, fresh...), slices.Compact(got)); diff != "" {
			t.Errorf("arrived:\n%s", diff)
		}
		wantClear(t, r)
	})
}

func TestOurOwnEndIsNoAttempt(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.set.Slow = time.Hour
		r.far.script("a", hang)
		r.start(t)
		ids := r.publish("s", 3)
		synctest.Wait()
		began := time.Now()
		r.stopped()
		if passed := time.Since(began); passed != 5*time.Second {
			t.Errorf("the end took %v, want the 5 s that attempts have to end", passed)
		}
		if n := r.log.unacknowledged(); n != 3 || len(r.lot.packs) != 0 {
			t.Errorf("%d packs unacknowledged and %d parked, want all with the log", n, len(r.lot.packs))
		}
		r.far.script("a", nil)
		r.crash(t)
		synctest.Wait()
		wantArrived(t, r, "a", ids)
		wantClear(t, r)
	})
}

func TestABrokenLogIsReadAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.log.err = errors.New("stream is offline")
		r.start(t)
		ids := r.publish("s", 3)
		after(time.Second)
		wantArrived(t, r, "a", ids)
	})
}

func TestAPackInHandIsNotDeliveredTwice(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.far.script("a", func(context.Context, []sink.Delivery) error { <-release; return nil })
		r.start(t)
		ids := r.publish("s", 1)
		synctest.Wait()
		r.log.replay() // it heard nothing for too long
		synctest.Wait()
		close(release)
		synctest.Wait()
		wantArrived(t, r, "a", ids)
		wantClear(t, r)
	})
}

func TestAnEventOfOneTenantStaysThere(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.start(t)
		foreign := owner
		foreign.Account = "999999999999"
		r.log.publish(event.Event{ID: "m/answered", Type: event.VoiceAnswered, Tenant: foreign, Set: "s", Record: []byte("{}")})
		elsewhere := owner
		elsewhere.Region = "eu-west-1"
		r.log.publish(event.Event{ID: "n/answered", Type: event.VoiceAnswered, Tenant: elsewhere, Set: "s", Record: []byte("{}")})
		r.log.publish(event.Event{ID: "o/busy", Type: event.VoiceBusy, Tenant: owner, Set: "s", Record: []byte("{}")})
		synctest.Wait()
		wantArrived(t, r, "a", nil)
		wantClear(t, r)
	})
}
