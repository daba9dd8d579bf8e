package faults

import (
	"testing"
	"time"
)

// hurried is a setup whose clock can be put forward: a mail that was deferred waits for a
// minute at least.
func hurried(t testing.TB) (setup, *wrongClock) {
	t.Helper()
	clock := newWrongClock(t)
	return setup{binary: buildShifted(t), env: []string{clockEnv + "=" + clock.file}, now: clock.now}, clock
}

// nextAttempt is longer than the pauses after the first three attempts.
const nextAttempt = 20 * time.Minute

// hurry puts the clock forward. Who waits for a time that is suddenly there notices it with
// the next mail.
func (r *postRig) hurry(t testing.TB, clock *wrongClock) {
	t.Helper()
	clock.step(nextAttempt)
	next := r.load
	next.kinds = []mailKind{simulated}
	next.one(t.Context())
}
