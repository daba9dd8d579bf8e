package faults

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestMailComesBack kills the server while bounce messages and complaints come back.
func TestMailComesBack(t *testing.T) {
	t.Parallel()
	back := newReturner()
	r := newPostRig(t, setup{}, back.keys())
	r.books.retold = true
	r.load.kinds, r.load.fates, r.load.most, r.load.pace = []mailKind{byV1, byV2, rawV1}, []string{fateTaken}, 2, length(150, 150)
	back.watch(r.office)
	rounds := length(3, 50)
	back.during(t, func() {
		for round := range rounds {
			if round > 0 {
				r.start(t)
			}
			r.load.during(t, func() {
				pause(t, 200*time.Millisecond+rand.N(length(800*time.Millisecond, 3*time.Second)))
				r.killNow(t)
			})
			r.follower.read(t)
		}
		r.start(t)
		r.awaitEnds(t, nil)
		back.awaitLeft(t, r.server)
	})
	r.awaitQuiet(t)
	sum := r.finish(t, fmt.Sprintf("%d kills", rounds))
	t.Logf("%s; %d events were told once more with a time of their own; %d mails came back before it was on disk that they were taken, and end as suppressed",
		back.wantTold(t, r.books), sum.retold, sum.suppressed)
}
