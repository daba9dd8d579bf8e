package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/sink"
)

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
