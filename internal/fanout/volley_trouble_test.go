package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/sink"
)

func TestWhatWasNotTriedHasNoAttempt(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 1
		learn(t, r, "a", time.Millisecond, 4)
		r.far.script("a", func(ctx context.Context, _ []sink.Delivery) error {
			_ = taking(time.Millisecond)(ctx, nil)
			return sink.RetryAfter(errDown, time.Hour)
		})
		before := len(r.far.tried("a"))
		ids := gather(t, r, "a", 20)
		if n := len(r.far.tried("a")) - before - 1; n != 4 {
			t.Errorf("%d batches were begun though the first four failed", n)
		}
		after(5 * time.Second)
		if diff := cmp.Diff(ids, r.lot.events(subscriber("s", "a"))); diff != "" {
			t.Errorf("parked (-want +got):\n%s", diff)
		}
		attempts := r.lot.attempts()
		for i, id := range ids {
			want := 0
			if i < 4 {
				want = 1
			}
			if attempts[id] != want {
				t.Errorf("delivery %d has %d attempts to its name, want %d", i, attempts[id], want)
			}
		}
		if got := r.status(t, subscriber("s", "a")); got.Width != 2 || got.Failures != 1 {
			t.Errorf("Status = %+v, want the width halved and one failure", got)
		}

		// What is parked and not tried stays where it is, too.
		r.far.script("a", nil)
		after(time.Hour)
		if got := r.far.arrived("a"); !slices.Equal(got[len(got)-20:], ids) {
			t.Errorf("arrived %v, want the order of the log", got)
		}
		wantClear(t, r)
	})
}

func TestAParkedFlightThatStopsLosesItsPlaceOnlyForWhatFailed(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 1
		r.set.ParkCount = 7
		r.far.script("a", down)
		r.start(t)
		ids := r.publish("s", 30)
		after(10 * time.Second)
		parked := r.lot.events(subscriber("s", "a"))
		again := parked[30:] // probes that failed; the packs that they were in are not done yet
		parked = append(slices.DeleteFunc(parked[:30:30], func(id string) bool { return slices.Contains(again, id) }), again...)
		bad := parked[12]
		failed := false
		r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
			if batch[0].Event.ID == bad && !failed {
				failed = true
				return errDown
			}
			return nil
		})
		after(10 * time.Minute)
		want := append(slices.Delete(slices.Clone(parked), 12, 13), bad)
		if diff := cmp.Diff(want, r.far.arrived("a")); diff != "" {
			t.Errorf("arrived (-want +got):\n%s", diff)
		}
		if len(want) != len(ids) {
			t.Errorf("%d were parked, want %d", len(want), len(ids))
		}
		wantClear(t, r)
	})
}

func TestWhatIsParkedDoesNotOvertakeWhatWasNotTried(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 1
		r.set.QueueCount, r.set.ParkCount = 12, 10
		learn(t, r, "a", time.Millisecond, 2)
		release, fail := make(chan struct{}), make(chan struct{})
		r.far.script("a", func(context.Context, []sink.Delivery) error { <-release; return nil })
		r.publish("s", 1)
		synctest.Wait()
		r.publish("s", 9)
		first := r.publishCalls("s", 1, 1)[0]
		synctest.Wait()
		r.far.script("a", func(context.Context, []sink.Delivery) error { <-fail; return errDown })
		close(release)
		synctest.Wait()
		second := first
		second.ID = first.Message + "/1"
		r.log.publish(second)
		r.publish("s", 40) // more than the queue holds: they are parked
		synctest.Wait()
		if n := len(r.lot.events(subscriber("s", "a"))); n == 0 {
			t.Fatal("nothing was parked")
		}
		close(fail)
		synctest.Wait()
		r.far.script("a", nil)
		after(10 * time.Minute)
		var got []string
		for _, a := range r.far.tried("a") {
			for _, id := range a.ids {
				if id == first.ID || id == second.ID {
					got = append(got, id)
				}
			}
		}
		if want := []string{first.ID, second.ID}; !slices.Equal(got, want) {
			t.Errorf("attempted %v, want %v", got, want)
		}
		wantClear(t, r)
	})
}

func TestAHangingBatchHoldsOnlyItsLane(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a", "b"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 1
		r.start(t)
		learn(t, r, "a", time.Millisecond, 4)
		r.courier.Widen(subscriber("s", "b"), 4)
		stuck := fmt.Sprintf("m%05d", r.serial+3)
		r.far.script("a", func(ctx context.Context, batch []sink.Delivery) error {
			if batch[0].Event.Message == stuck {
				return hang(ctx, batch)
			}
			return nil
		})
		arrived := len(r.far.arrived("a"))
		ids := gather(t, r, "a", 20)
		if n := len(r.far.arrived("a")) - arrived; n != 20 {
			t.Errorf("%d of 20 arrived beside the one that hangs, want 19 and the one before", n)
		}
		if n := len(r.far.arrived("b")); n != r.serial {
			t.Errorf("%d of %d arrived at b", n, r.serial)
		}
		more := r.publish("s", 10)
		after(3 * time.Second)
		if n := r.log.unacknowledged(); n != 0 {
			t.Errorf("%d packs wait for a batch that hangs", n)
		}
		if n := len(r.far.arrived("b")); n != r.serial {
			t.Errorf("%d of %d arrived at b", n, r.serial)
		}
		r.far.script("a", nil)
		after(time.Minute)
		got := r.far.arrived("a")[arrived+1:]
		slices.Sort(got)
		if diff := cmp.Diff(append(ids, more...), got); diff != "" {
			t.Errorf("arrived at a in the end, once each (-want +got):\n%s", diff)
		}
		wantClear(t, r)
	})
}

func TestARefusedBatchLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 5
		learn(t, r, "a", time.Millisecond, 3)
		bad := fmt.Sprintf("m%05d", r.serial+1+7)
		r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
			for i := range batch {
				if batch[i].Event.Message == bad {
					return sink.Permanent(errors.New("malformed"))
				}
			}
			return nil
		})
		before := len(r.far.tried("a"))
		ids := gather(t, r, "a", 20)
		tries := map[string][]int{} // sizes of the batches that a delivery was in
		for _, a := range r.far.tried("a")[before+1:] {
			for _, id := range a.ids {
				tries[id] = append(tries[id], len(a.ids))
			}
		}
		for i, id := range ids {
			want := []int{5}
			if i/5 == 1 {
				want = []int{5, 1}
			}
			if diff := cmp.Diff(want, tries[id]); diff != "" {
				t.Errorf("batches of delivery %d (-want +got):\n%s", i, diff)
			}
		}
		if letters := r.morgue.all(); len(letters) != 1 || letters[0].Delivery.Event.Message != bad {
			t.Errorf("dead letters %+v, want the malformed one", letters)
		}
		wantClear(t, r)
	})
}

func TestAStopBeginsNoMoreBatches(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 1
		r.set.Slow = time.Hour
		learn(t, r, "a", time.Millisecond, 2)
		r.far.script("a", taking(2*time.Second))
		gather(t, r, "a", 10)
		before := len(r.far.tried("a"))
		r.stopped()
		if n := len(r.far.tried("a")) - before; n != 0 {
			t.Errorf("%d batches were begun after the stop", n)
		}
		if n := r.log.unacknowledged(); n != 8 {
			t.Errorf("%d packs stay with the log, want the 8 that were not tried", n)
		}
		r.far.script("a", nil)
		r.crash(t)
		after(time.Second)
		got := maps.Collect(func(yield func(string, bool) bool) {
			for _, id := range r.far.arrived("a") {
				if !yield(id, true) {
					return
				}
			}
		})
		if len(got) != 12 || len(r.far.arrived("a")) != 12 {
			t.Errorf("%d different ones of %d arrived, want 12 once each", len(got), len(r.far.arrived("a")))
		}
		wantClear(t, r)
	})
}

// A far end that now and then answers 500 is not down: what it fails waits, the others go on.
func TestAFewFailuresAmongManyArrivalsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	for _, every := range []int{100, 10, 3} {
		t.Run(fmt.Sprintf("one in %d", every), func(t *testing.T) {
			t.Parallel()
			inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
				r.far.limits.Count = 1
				n := 0
				failed := map[string]bool{}
				r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
					n++
					if id := batch[0].Event.ID; n%every == 0 && !failed[id] {
						failed[id] = true
						return errDown
					}
					return nil
				})
				r.start(t)
				began := time.Now()
				ids := r.publish("s", 3_000)
				for len(r.far.arrived("a")) < len(ids) && time.Since(began) < time.Hour {
					after(100 * time.Millisecond)
				}
				// One pause per failure would take at least half a second for each.
				if took, one := time.Since(began), time.Duration(3_000/every)*500*time.Millisecond; took > one/5 {
					t.Errorf("all had arrived after %v; a pause after every failure takes %v", took, one)
				}
				got := r.far.arrived("a")
				slices.Sort(got)
				slices.Sort(ids)
				if diff := cmp.Diff(ids, got); diff != "" {
					t.Errorf("arrived (-want +got):\n%s", diff)
				}
				wantClear(t, r)
			})
		})
	}
}
