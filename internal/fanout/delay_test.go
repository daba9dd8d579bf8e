package fanout_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/configset"
	"tidings/internal/fanout"
	"tidings/internal/sink"
)

func TestTheFarEndSaysHowLongToRest(t *testing.T) {
	t.Parallel()
	refused := func(failed map[int]error) error { return &sink.PartialError{Failed: failed} }
	for name, tc := range map[string]struct {
		err         error
		least, most time.Duration
	}{
		"nothing":              {errDown, time.Second / 2, time.Second},
		"less than the pause":  {sink.RetryAfter(errDown, time.Millisecond), time.Second / 2, time.Second},
		"ten minutes":          {sink.RetryAfter(errDown, 10*time.Minute), 10 * time.Minute, 10 * time.Minute},
		"a day is an hour":     {sink.RetryAfter(errDown, 24*time.Hour), time.Hour, time.Hour},
		"of one delivery":      {refused(map[int]error{1: errDown, 0: sink.RetryAfter(errDown, 10*time.Minute)}), 10 * time.Minute, 10 * time.Minute},
		"the longest of three": {refused(map[int]error{0: sink.RetryAfter(errDown, time.Minute), 1: sink.RetryAfter(errDown, 9*time.Minute), 2: sink.RetryAfter(errDown, 2*time.Minute)}), 9 * time.Minute, 9 * time.Minute},
		"wrapped":              {errors.Join(errors.New("throttled"), sink.RetryAfter(errDown, time.Minute)), time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
				r.publish("s", 3)
				first := true
				r.far.script("a", func(context.Context, []sink.Delivery) error {
					if first {
						first = false
						return tc.err
					}
					return nil
				})
				r.start(t)
				synctest.Wait()
				status := r.status(t, subscriber("s", "a"))
				if until := time.Until(status.RetryAt); until < tc.least || until > tc.most {
					t.Errorf("the next attempt is in %v, want %v to %v", until, tc.least, tc.most)
				}
				after(tc.most)
				tried := r.far.tried("a")
				if pause := tried[1].at.Sub(tried[0].at); pause < tc.least || pause > tc.most {
					t.Errorf("the next attempt came after %v, want %v to %v", pause, tc.least, tc.most)
				}
				after(time.Hour)
				wantClear(t, r)
			})
		})
	}
}

func TestADelayHoldsWhatIsNewToo(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		// Without the wish, only the one that always fails would rest.
		r.far.limits.Count = 1
		poison := r.publish("s", 1)[0]
		r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
			if batch[0].Event.ID == poison {
				return sink.RetryAfter(errDown, 20*time.Minute)
			}
			return nil
		})
		r.start(t)
		after(time.Hour + time.Minute) // three attempts were asked for and made
		ids := r.publish("s", 3)
		after(time.Minute)
		if got := r.far.arrived("a"); len(got) != 0 {
			t.Errorf("%v arrived while the far end wants to be left alone", got)
		}
		after(40 * time.Minute) // one more attempt of the poisoned one is refused before
		wantArrived(t, r, "a", ids)
		if n := len(r.far.tried("a")) - len(ids); n < 5 || n > 7 {
			t.Errorf("%d attempts of the poisoned one in 102 minutes, want one in 20", n)
		}
	})
}

func TestTheLongestDelayOfAVolleyCounts(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 1
		learn(t, r, "a", time.Millisecond, 3)
		var begun atomic.Int64
		r.far.script("a", func(ctx context.Context, batch []sink.Delivery) error {
			mine := time.Duration(begun.Add(1))
			_ = taking(time.Millisecond)(ctx, batch)
			return sink.RetryAfter(errDown, (10-mine)*time.Minute)
		})
		gather(t, r, "a", 3)
		if until := time.Until(r.status(t, subscriber("s", "a")).RetryAt).Round(time.Minute); until != 9*time.Minute {
			t.Errorf("the next attempt is in %v, want 9 minutes", until)
		}
	})
}

func TestWakeEndsARest(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a", "b"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.far.script("b", func(ctx context.Context, batch []sink.Delivery) error { return sink.RetryAfter(errDown, time.Hour) })
		r.start(t)
		ids := r.publish("s", 5)
		after(30 * time.Minute)
		r.far.script("a", nil)
		r.far.script("b", nil)
		r.courier.Wake()
		synctest.Wait()
		for _, name := range []string{"a", "b"} {
			got := r.far.arrived(name)
			slices.Sort(got)
			if !slices.Equal(got, ids) {
				t.Errorf("arrived at %s %v, want all at once", name, got)
			}
		}
		wantClear(t, r)
	})
}

func TestWakeLeavesTheDisabledAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.script("a", down)
		r.start(t)
		r.publish("s", 5)
		synctest.Wait()
		r.sets.change("s", "a", func(d *configset.EventDestination) { d.Enabled = false })
		after(time.Minute)
		before := r.status(t, subscriber("s", "a"))
		r.courier.Wake()
		synctest.Wait()
		got := r.status(t, subscriber("s", "a"))
		if got.State != fanout.Disabled || !got.RetryAt.Equal(before.RetryAt) || got.Failures != 0 {
			t.Errorf("Status = %+v, want it as it was, disabled, and no failures", got)
		}
	})
}

func TestWhatCameDuringARestOfOthersKeepsItsOrder(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.far.limits.Count = 1
		poison := r.publish("s", 1)[0]
		release := make(chan struct{})
		stuck := "m00002/answered"
		r.far.script("a", func(_ context.Context, batch []sink.Delivery) error {
			switch batch[0].Event.ID {
			case poison:
				return errDown
			case stuck:
				<-release
			}
			return nil
		})
		r.start(t)
		after(time.Hour) // only the poisoned one rests
		r.publish("s", 1)
		synctest.Wait()
		one := r.publishCalls("s", 1, 1)[0]
		synctest.Wait()
		r.courier.Wake() // the rest ends while one waits behind the stuck one
		synctest.Wait()
		two := one
		two.ID = one.Message + "/1"
		r.log.publish(two)
		synctest.Wait()
		close(release)
		after(time.Minute)
		wantArrived(t, r, "a", []string{stuck, one.ID, two.ID})
	})
}
