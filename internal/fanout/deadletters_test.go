package fanout_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/fault"
	"tidings/internal/sink"
)

func refuse(context.Context, []sink.Delivery) error { return sink.Permanent(errors.New("malformed")) }

// withLetters has n events refused, so that they lie in the morgue.
func withLetters(t *testing.T, r *rig, n int) (events, letters []string) {
	t.Helper()
	r.far.script("a", refuse)
	r.start(t)
	events = r.publish("s", n)
	synctest.Wait()
	for _, letter := range r.morgue.all() {
		letters = append(letters, letter.ID)
	}
	if len(letters) != n {
		t.Fatalf("%d dead letters, want %d", len(letters), n)
	}
	r.far.script("a", nil)
	return events, letters
}

func TestRetrySendsDeadLettersAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		events, letters := withLetters(t, r, 2_500)
		if err := r.courier.Retry(t.Context(), letters[1], letters[2_400], letters[7]); err != nil {
			t.Fatalf("Retry = %v", err)
		}
		synctest.Wait()
		wantArrived(t, r, "a", []string{events[1], events[7], events[2_400]})
		if n := len(r.morgue.all()); n != 2_497 {
			t.Errorf("%d letters are left, want 2,497", n)
		}
		wantClear(t, r)
	})
}

func TestRetryWakesADestinationThatRests(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		events, letters := withLetters(t, r, 1)
		r.far.script("a", down)
		more := r.publish("s", 3)
		after(time.Hour)
		r.far.script("a", nil)
		if err := r.courier.Retry(t.Context(), letters...); err != nil {
			t.Fatalf("Retry = %v", err)
		}
		synctest.Wait()
		if got := r.far.arrived("a"); len(got) != len(events)+len(more) {
			t.Errorf("arrived %v, want all at once", got)
		}
		wantClear(t, r)
	})
}

func TestARetriedLetterStartsAnew(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		_, letters := withLetters(t, r, 1)
		after(48 * time.Hour)
		r.far.script("a", down)
		if err := r.courier.Retry(t.Context(), letters...); err != nil {
			t.Fatalf("Retry = %v", err)
		}
		after(23 * time.Hour)
		if n := len(r.morgue.all()); n != 0 {
			t.Error("it was given up for the time before it was retried")
		}
		after(2 * time.Hour)
		if again := r.morgue.all(); len(again) != 1 || again[0].Delivery.Attempts < 100 {
			t.Errorf("dead letters %+v, want the same again, after more attempts", again)
		}
	})
}

func TestRetryRefuses(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		_, letters := withLetters(t, r, 3)
		err := r.courier.Retry(t.Context(), letters[0], "unknown")
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("Retry of an unknown letter = %v, want NotFound", err)
		}
		r.lot.set(func(l *memoryLot) { l.full = true })
		if err := r.courier.Retry(t.Context(), letters[0]); !errors.Is(err, errFull) {
			t.Errorf("Retry on a full disk = %v", err)
		}
		r.sets.remove("s")
		if err := r.courier.Retry(t.Context(), letters[0]); !fault.Is(err, fault.NotFound) {
			t.Errorf("Retry for a deleted destination = %v, want NotFound", err)
		}
		if n := len(r.morgue.all()); n != 3 {
			t.Errorf("%d letters are left, want all 3", n)
		}
	})
}

func TestRetryGivesADestinationALane(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		e := event.Event{ID: "m/answered", Type: event.VoiceAnswered, Tenant: owner, Set: "s", Record: []byte("{}")}
		letter := fanout.DeadLetter{Subscriber: subscriber("s", "a"), Delivery: fanout.Delivery{Event: e}}
		if err := r.morgue.Bury(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
		r.start(t)
		synctest.Wait()
		if err := r.courier.Retry(t.Context(), "000001"); err != nil {
			t.Fatalf("Retry = %v", err)
		}
		synctest.Wait()
		wantArrived(t, r, "a", []string{e.ID})
	})
}

func TestWhatCannotBeBuriedIsKept(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		r.morgue.full = true
		r.far.script("a", refuse)
		r.start(t)
		r.publish("s", 3)
		after(time.Hour)
		if got := r.status(t, subscriber("s", "a")); got.Parked+got.Pending != 3 {
			t.Errorf("Status = %+v, want all 3 kept", got)
		}
		r.morgue.mu.Lock()
		r.morgue.full = false
		r.morgue.mu.Unlock()
		after(20 * time.Minute)
		if n := len(r.morgue.all()); n != 3 {
			t.Errorf("%d dead letters, want 3", n)
		}
		wantClear(t, r)
	})
}
