package faults

import (
	"fmt"
	"testing"
	"time"
)

// TestMailDiskFull fills the disk while mail is taken in, handed over, and comes back.
func TestMailDiskFull(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	dir := smallDisk(t, "192m")
	back := newReturner()
	r := newPostRig(t, setup{dir: dir, keys: with(impatient(), "storage", map[string]any{"reserve_bytes": "4MiB"})}, back.keys())
	r.books.retold = true
	r.load.fates, r.load.pace = []string{fateTaken, fateTaken, fateBounced}, length(150, 150)
	back.watch(r.office)
	rounds, hold := length(2, 5), length(500*time.Millisecond, 20*time.Second)
	var slowest time.Duration
	back.during(t, func() {
		r.load.during(t, func() {
			for range rounds {
				pause(t, length(500*time.Millisecond, 5*time.Second))
				free := fill(t, dir)
				r.awaitMore(t, "a refusal", r.books.refusals)
				pause(t, hold)
				free()
				slowest = max(slowest, r.awaitMore(t, "the service to resume", r.books.promises))
			}
		})
		r.awaitEnds(t, nil)
		back.awaitLeft(t, r.server)
	})
	r.awaitQuiet(t)
	r.finish(t, fmt.Sprintf("%d times, accepts again at most %v after it was over", rounds, slowest.Round(10*time.Millisecond)))
	t.Log(back.wantTold(t, r.books))
	if r.books.soft != r.books.refused {
		t.Errorf("%d of %d refusals are none that a client tries again after, the last %s", r.books.refused-r.books.soft, r.books.refused, r.books.refusal)
	}
}

// awaitMore waits until a count grows, and returns how long that took.
func (r *postRig) awaitMore(t testing.TB, what string, count func() int) time.Duration {
	t.Helper()
	before, began := count(), time.Now()
	await(t, r.server, what, func() bool { return count() > before }, func() string { return "" })
	return time.Since(began)
}
