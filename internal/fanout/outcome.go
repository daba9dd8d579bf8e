package fanout

import "time"

// failure is why a lane rests.
type failure struct {
	err      error
	disabled bool
	first    string        // ID of the first event that failed; "" = there was no attempt
	alone    int           // attempts that have failed for what failed alone; 0 = others failed, too
	tour     int           // how many have failed alone
	batch    int           // deliveries in the flight
	progress int           // of which so many arrived
	lost     int           // and so many failed
	took     time.Duration // by the flight
	delay    time.Duration // that the far end asked for
}

// conclude settles what is settled, finds a place for what has failed, and notes how the
// destination is.
func (l *lane) conclude(f *flight, d *verdict, took time.Duration) {
	now := l.courier.now()
	for i := range d.fates {
		if d.is(i, failed, lone) {
			d.items[i].fail(now, d.reasons[i])
		}
	}
	l.giveUp(d, now)
	gone := d.pick(arrived, refused, given)
	if !f.insured {
		l.courier.settle(gone)
	}
	fail, bad := failureOf(d)
	l.mu.Lock()
	l.delivered += uint64(d.count(arrived))
	l.place(f, d, gone)
	l.mu.Unlock()
	l.sweep()
	if bad {
		fail.took = took
		l.fail(fail)
	} else if len(gone) > 0 {
		l.succeed(len(d.items))
	}
}

// failureOf sums up what failed, if anything did.
func failureOf(d *verdict) (f failure, bad bool) {
	f = failure{err: d.err, batch: len(d.items), progress: d.count(arrived), delay: min(d.delay, delayMax)}
	together := d.count(failed) > 0
	for i := range d.fates {
		if !d.is(i, failed, lone, given) {
			continue
		}
		f.lost++
		if !bad {
			bad, f.first = true, d.items[i].event.ID
		}
		if d.fates[i] == lone && !together {
			f.tour++
			f.alone = max(f.alone, d.items[i].attempts())
		}
	}
	return f, bad
}

// delayMax is the longest rest that a far end can ask for.
const delayMax = time.Hour

// place puts what failed or was not tried where it waits. mu is held.
func (l *lane) place(f *flight, d *verdict, gone []item) {
	switch {
	case f.insured: // all of them are in the Lot; what is done must not be loaded again
		l.passOver(gone)
	case f.parked:
		l.placeParked(d, gone)
	case d.count(failed, lone) == 0:
		l.putBack(f, d.pick(untried, split))
	default:
		l.unspill(d.pick(untried, split, failed))
		l.hold()
		l.spillOver(d.pick(lone)...)
	}
}

// placeParked moves what failed behind all others that are parked. It stays instead if
// nothing was done, or if it could not be parked again: memory must not fill up with it.
// mu is held.
func (l *lane) placeParked(d *verdict, gone []item) {
	if l.parkFailures > 0 || len(gone) == 0 && d.count(lone) == 0 {
		d.change(lone, failed)
		l.moveOn(d.items, func(i int) bool { return !d.is(i, arrived, refused, given) })
		return
	}
	l.moveOn(d.items, func(i int) bool { return d.is(i, untried, split) })
	l.spillOver(d.pick(failed, lone)...)
}

// succeed notes that a flight of n had no failure.
func (l *lane) succeed(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.widen()
	l.worry(0)
	if l.logged {
		l.courier.Logger.Info("destination takes deliveries again", "destination", l.sub, "driver", l.driver,
			"failed_attempts", l.failures, "failing_since", l.failingSince, "parked", l.parked, "batch", n)
	}
	l.healed()
}

// maxWindow is the batch size above which a destination counts as healed.
const maxWindow = 10_000

// half of the deliveries of a flight: where a destination that fails some becomes one that
// takes some.
const half = 0.5

// share is the part of what was tried that failed; 1 = nothing was tried.
func (f *failure) share() float64 {
	if f.lost == 0 {
		return 1
	}
	return float64(f.lost) / float64(f.lost+f.progress)
}

// worry notes the share of a flight that failed. mu is held.
func (l *lane) worry(share float64) { l.trouble += (share - l.trouble) / 4 }

// widen lets the next flight carry more. mu is held.
func (l *lane) widen() {
	if l.window > 0 {
		if l.window *= 2; l.window > maxWindow {
			l.window = 0
		}
	}
}

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
	l.worry(f.share())
	if l.disabled = f.disabled; f.share() < half {
		l.widen() // it works, but for some
	} else {
		l.window = max(1, f.progress)
	}
	l.tour += f.tour
	if f.first == "" || l.culprit != "" && l.culprit != f.first {
		l.dead = true
	}
	l.culprit = f.first
	l.hold()
	if l.failures > 1 && len(l.spill) > 0 {
		l.park() // it is not over in a moment
	}
	pause, retries := l.pause(f)
	pause = max(pause, f.delay)
	l.rest(pause, retries && f.delay == 0) // who asks for a delay means all deliveries
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
	// The fewer fail, the less there is to wait for.
	return time.Duration(float64(backoff(1, least, most)) * l.trouble * l.trouble), false
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
