package fanout

import (
	"errors"
	"fmt"
	"time"
)

// giveUp buries the failed items whose time is over. Those that cannot be buried wait for
// another attempt and another try to bury them.
func (l *lane) giveUp(d *verdict, now time.Time) {
	old := func(i int) bool {
		return d.is(i, failed, lone) && now.Sub(d.items[i].past.first) >= l.courier.set.GiveUp
	}
	var letters []item
	for i := range d.fates {
		if old(i) {
			letters = append(letters, d.items[i])
		}
	}
	if len(letters) == 0 || l.buryOld(letters, now) != nil {
		return
	}
	for i := range d.fates {
		if old(i) {
			d.fates[i] = given
		}
	}
}

// expire buries parked deliveries whose time is over, from the first on to the first that
// has time left.
func (l *lane) expire(now time.Time) error {
	for {
		l.mu.Lock()
		backlogged, since, reason := l.backlogged, l.failingSince, l.lastErr
		l.mu.Unlock()
		if !backlogged {
			return nil
		}
		if err := l.load(1, 1); err != nil {
			return err
		}
		old := l.available(l.courier.set.ParkCount)
		for i := range old {
			first := since
			if p := old[i].past; p != nil && !p.first.IsZero() {
				first = p.first
			} else {
				old[i].past = &past{first: since, last: reason}
			}
			if now.Sub(first) < l.courier.set.GiveUp {
				old = old[:i]
				break
			}
		}
		if len(old) == 0 {
			return nil
		}
		if err := l.buryOld(old, now); err != nil {
			return err
		}
		l.mu.Lock()
		l.moveOn(old, nothingStays)
		l.mu.Unlock()
		l.courier.settle(old)
		l.sweep()
	}
}

// bury makes dead letters of what was refused. What cannot be buried counts as failed.
func (l *lane) bury(d *verdict) {
	now := l.courier.now()
	var letters []DeadLetter
	for i := range d.fates {
		if d.fates[i] != refused {
			continue
		}
		it := d.items[i]
		it.fail(now, d.reasons[i])
		letters = append(letters, DeadLetter{Subscriber: l.sub, Delivery: it.delivery(), Reason: d.reasons[i], Died: now})
	}
	if len(letters) == 0 {
		return
	}
	if err := l.buryAll(letters); err != nil {
		fails := failed
		if len(letters) == 1 {
			fails = lone
		}
		d.change(refused, fails)
		d.err = errors.Join(d.err, err)
	}
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

func (l *lane) buryAll(letters []DeadLetter) error {
	if err := l.courier.Morgue.Bury(l.courier.life, letters...); err != nil {
		return fmt.Errorf("bury %d deliveries: %w", len(letters), err)
	}
	l.courier.Metrics.wasBuried(len(letters))
	l.courier.Logger.Warn("deliveries were given up", "destination", l.sub, "deliveries", len(letters),
		"first_event", letters[0].Delivery.Event.ID, "reason", letters[0].Reason)
	return nil
}
