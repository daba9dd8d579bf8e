package faults

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestMailKilled kills the server again and again while it takes mail in and hands it over.
// In the short form the clock is put forward before each start, so that what was deferred
// is tried again; at full length it is left alone.
func TestMailKilled(t *testing.T) {
	t.Parallel()
	var want setup
	var clock *wrongClock
	if scale == 0 {
		want, clock = hurried(t)
	}
	rounds := length(3, 50)
	r := newPostRig(t, want, nil)
	for round := range rounds {
		if round > 0 {
			r.start(t)
		}
		r.load.during(t, func() {
			pause(t, 200*time.Millisecond+rand.N(length(1000*time.Millisecond, 5*time.Second)))
			r.killNow(t)
		})
		r.follower.read(t)
		if clock != nil {
			clock.step(nextAttempt)
		}
	}
	r.start(t)
	r.awaitEnds(t, func() {
		if clock != nil {
			r.hurry(t, clock)
		}
	})
	sum := r.finish(t, fmt.Sprintf("%d kills", rounds))
	for _, kind := range []string{mailSend, mailDelivery, mailBounce, mailReject, mailFailure} {
		if sum.byKind[kind] == 0 {
			t.Errorf("there is no event of type %q: nothing was tested", kind)
		}
	}
	if r.books.refused > 0 {
		t.Errorf("%d requests were refused, the last with %s", r.books.refused, r.books.refusal)
	}
}
