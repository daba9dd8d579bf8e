package fanout

import (
	"context"
	"fmt"
	"slices"

	"tidings/internal/event"
)

// Replay sends events again, with the same IDs, to who wants them now and is accepted by
// wanted; nil accepts everybody. It returns once all of it is parked on disk, with the
// number of deliveries that are; they stand behind what is parked already, in the order
// given. After an error the number is how many are parked nevertheless. Nothing remembers
// a replay: after an error or a crash it is repeated as a whole, which sends those that
// were parked a second time and loses none. It waits for Run to have begun.
func (c *Courier) Replay(ctx context.Context, events []event.Event, wanted func(Subscriber) bool) (deliveries int, err error) {
	if err := c.awaitReady(ctx); err != nil {
		return 0, err
	}
	owed := map[Subscriber][]*event.Event{}
	var order []Subscriber
	var buf []Subscriber
	for i := range events {
		buf = c.Directory.Match(&events[i], buf[:0])
		for _, s := range buf {
			if wanted != nil && !wanted(s) {
				continue
			}
			if _, ok := owed[s]; !ok {
				order = append(order, s)
			}
			owed[s] = append(owed[s], &events[i])
		}
	}
	for _, s := range order {
		for part := range slices.Chunk(owed[s], c.set.ParkCount) {
			ds := make([]Delivery, len(part))
			for i, e := range part {
				ds[i].Event = *e
			}
			if err := c.park(ctx, s, ds, false); err != nil {
				return deliveries, fmt.Errorf("park replayed events for %s: %w", s, err)
			}
			deliveries += len(ds)
		}
	}
	return deliveries, nil
}

// park stores deliveries that come from elsewhere than the log, and has them attempted:
// now, or when the rest of the lane ends.
func (c *Courier) park(ctx context.Context, s Subscriber, ds []Delivery, now bool) error {
	l := c.lane(s)
	l.mu.Lock()
	l.stamp(ds)
	l.mu.Unlock()
	if err := c.Lot.Park(ctx, s, ds); err != nil {
		return err
	}
	c.Metrics.wasParked(len(ds))
	for !l.join(ds, now) { // it was just retired; the next one is new
		if c.stopped.Load() {
			return errStopped
		}
		l = c.lane(s)
	}
	return nil
}

// stamp begins the time of deliveries that were never tried because others fail; it runs
// all the same. mu is held.
func (l *lane) stamp(ds []Delivery) {
	if l.failingSince.IsZero() {
		return
	}
	for i := range ds {
		if ds[i].FirstFailed.IsZero() {
			ds[i].FirstFailed, ds[i].LastError = l.courier.now(), l.lastErr
		}
	}
}

// join notes deliveries that were parked by somebody else. It fails once the lane is
// retired.
func (l *lane) join(ds []Delivery, now bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		return false
	}
	l.list()
	if l.parked == 0 {
		l.parkedOldest = ds[0].Event.Time
	}
	l.backlogged = true
	l.generation++
	l.parked += len(ds)
	l.tour = 0
	l.hold()
	if l.resting && now {
		l.endRest()
	}
	l.wake()
	return true
}
