package fanout

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// failure is why a lane rests.
type failure struct {
	err      error
	disabled bool
	first    string        // event ID that the attempt began with; "" = there was no attempt
	alone    int           // attempts that have failed for the one delivery it carried; 0 = it carried more
	batch    int           // deliveries in the attempt
	progress int           // of which so many arrived
	took     time.Duration // by the attempt
}

// conclude settles what is settled, finds a place for what has failed, and notes how the
// destination is.
func (l *lane) conclude(f *flight, v *verdict, took time.Duration) {
	now := l.courier.now()
	for i := range v.failed {
		v.failed[i].fail(now, v.err)
	}
	given := l.giveUp(v, now)
	gone := append(slices.Clip(v.delivered), given...)
	for _, r := range v.refused {
		gone = append(gone, r.item)
	}
	if !f.insured {
		l.courier.settle(gone)
	}
	l.mu.Lock()
	l.delivered += uint64(len(v.delivered))
	if l.isolate > 0 {
		l.isolate--
	}
	l.place(f, v, gone)
	l.mu.Unlock()
	l.sweep()
	if len(v.failed)+len(given) == 0 {
		if len(gone) > 0 {
			l.succeed(len(f.items))
		}
		return
	}
	fail := failure{err: v.err, first: f.items[0].event.ID, batch: len(f.items), progress: len(v.delivered), took: took}
	if len(f.items) == 1 && len(v.failed) == 1 {
		fail.alone = v.failed[0].attempts()
	}
	l.fail(fail)
}

// place puts the failed items where they wait. mu is held.
func (l *lane) place(f *flight, v *verdict, gone []item) {
	switch {
	case f.insured: // all of them are in the Lot; what is done must not be loaded again
		l.passOver(gone)
	case f.parked && len(v.failed) > 0 && l.parkFailures > 0:
		// Memory must not fill up with what cannot be parked again: they stay.
		l.passLoaded(gone)
	case f.parked:
		if len(v.failed) == len(f.items) && len(f.items) > 1 {
			return // all of them stay where they are
		}
		l.advance(len(f.items))
		l.spillOver(v.failed...) // behind all others
	case len(v.failed) == 0:
	case len(f.items) == 1:
		l.hold()
		l.spillOver(v.failed...)
	default:
		l.unspill(v.failed)
	}
}

// succeed notes that a whole batch of n arrived.
func (l *lane) succeed(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.window > 0 {
		if l.window *= 2; l.window > maxWindow {
			l.window = 0
		}
	}
	if l.logged {
		l.courier.Logger.Info("destination takes deliveries again", "destination", l.sub, "driver", l.driver,
			"failed_attempts", l.failures, "failing_since", l.failingSince, "parked", l.parked, "batch", n)
	}
	l.healed()
}

// maxWindow is the batch size above which a destination counts as healed.
const maxWindow = 10_000

// healed forgets the row of failures. mu is held.
func (l *lane) healed() {
	l.failures, l.culprit, l.dead, l.logged = 0, "", false, false
	l.failingSince = time.Time{}
}

// fail lets the lane rest.
func (l *lane) fail(f failure) {
	now := l.courier.now()
	l.mu.Lock()
	if f.progress > 0 {
		l.healed()
	}
	l.failures++
	l.lastErr, l.lastFailed = f.err.Error(), now
	if l.failingSince.IsZero() {
		l.failingSince = now
	}
	l.window, l.disabled = max(1, f.progress), f.disabled
	if f.alone > 0 {
		l.tour++
	}
	if f.first == "" || l.culprit != "" && l.culprit != f.first {
		l.dead = true
	}
	l.culprit = f.first
	l.hold()
	if l.failures > 1 && len(l.spill) > 0 {
		l.park() // it is not over in a moment
	}
	pause, retries := l.pause(f)
	l.rest(pause, retries)
	if !l.logged {
		l.logged = true
		l.courier.Logger.Warn("destination takes no deliveries", "destination", l.sub, "target", l.seen.target.ARN.String(),
			"driver", l.driver, "error", f.err, "batch", f.batch, "took", f.took, "retry_in", pause, "parked", l.parked)
	}
	l.unload(keptLoaded)
	gone := !l.seen.ok
	l.mu.Unlock()
	if gone {
		return // dropping has failed, and nothing is given up
	}
	if err := l.expire(now); err != nil {
		l.courier.Logger.Error("deliveries that are too old cannot be given up", "destination", l.sub, "error", err)
	}
}

// pause says how long to rest, and whether only what has failed before needs to. mu is
// held.
//
// A destination that fails whatever it is sent is left alone for longer and longer. If it
// is always the same delivery that fails, the others need not suffer: they are tried after
// the shortest pause, and if there are none, the one waits by itself.
func (l *lane) pause(f failure) (time.Duration, bool) {
	least, most := l.courier.set.Backoff, l.courier.set.BackoffMax
	switch {
	case l.dead:
		return backoff(l.failures, least, most), false
	case f.alone > 0 && l.onlyFailed():
		return backoff(f.alone, least, most), true
	}
	return backoff(1, least, most), false
}

// onlyFailed reports whether everything that waits has failed by itself before. mu is
// held.
func (l *lane) onlyFailed() bool {
	for i := range l.spill {
		if l.spill[i].attempts() == 0 {
			return false
		}
	}
	return l.tour >= l.parked+len(l.spill)
}

// giveUp buries the failed items whose time is over, and takes them from the verdict.
func (l *lane) giveUp(v *verdict, now time.Time) []item {
	var old, young []item
	for _, it := range v.failed {
		if now.Sub(it.past.first) >= l.courier.set.GiveUp {
			old = append(old, it)
		} else {
			young = append(young, it)
		}
	}
	if len(old) == 0 || l.buryOld(old, now) != nil {
		return nil // they wait for another attempt and another try to bury them
	}
	v.failed = young
	return old
}

// buryOld makes dead letters of items that failed for too long.
func (l *lane) buryOld(items []item, now time.Time) error {
	letters := make([]DeadLetter, len(items))
	for i := range items {
		d := items[i].delivery()
		letters[i] = DeadLetter{
			Subscriber: l.sub, Delivery: d, Died: now,
			Reason: fmt.Sprintf("given up after %v: %s", l.courier.set.GiveUp, d.LastError),
		}
	}
	return l.buryAll(letters)
}

// bury makes dead letters of what was refused. What cannot be buried counts as failed.
func (l *lane) bury(v *verdict) {
	now := l.courier.now()
	letters := make([]DeadLetter, len(v.refused))
	for i, r := range v.refused {
		it := r.item
		it.fail(now, r.err)
		letters[i] = DeadLetter{Subscriber: l.sub, Delivery: it.delivery(), Reason: r.err.Error(), Died: now}
	}
	if err := l.buryAll(letters); err != nil {
		for _, r := range v.refused {
			v.failed = append(v.failed, r.item)
		}
		v.refused = nil
		v.err = errors.Join(v.err, err)
	}
}

func (l *lane) buryAll(letters []DeadLetter) error {
	if err := l.courier.Morgue.Bury(l.courier.life, letters...); err != nil {
		return fmt.Errorf("bury %d deliveries: %w", len(letters), err)
	}
	l.courier.Metrics.wasBuried(len(letters))
	l.courier.Logger.Warn("deliveries were given up", "destination", l.sub, "deliveries", len(letters),
		"first_event", letters[0].Delivery.Event.ID, "reason", letters[0].Reason)
	return nil
}
