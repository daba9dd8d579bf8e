package fanout

import (
	"time"

	"tidings/internal/sink"
)

// flight is what a lane has under way: deliveries that leave in batches, some of which are
// in the air at once.
type flight struct {
	items   []item
	parked  bool        // they come from the Lot and are still there
	limits  sink.Limits // of one batch
	width   int         // batches in the air at once
	more    bool        // more was waiting
	several bool        // it leaves in more than one batch
	room    int         // bytes of Courier.room that it holds
	began   time.Time   // with the monotonic clock

	// While a slow flight is being parked, the lane's insuring is the flight, and the
	// channel is closed when that has ended. insured tells that it is in the Lot: no tally
	// waits for it any more. Guarded by lane.mu.
	insured  bool
	insuring chan struct{}
}

// bounds is how much a flight may take.
type bounds struct {
	batches int
	count   int // deliveries
	bytes   int // of memory
}

// take takes what the next flight carries: from what is parked, else from memory. nil =
// there is nothing.
func (l *lane) take(limits sink.Limits) (*flight, error) {
	limits.Count, limits.Bytes = min(limits.Count, maxWindow), min(limits.Bytes, maxFlightBytes)
	l.mu.Lock()
	f := &flight{parked: l.backlogged && !l.resting, limits: limits, width: l.width.now()}
	most := bounds{batches: l.width.batches(limits.Count), count: l.window}
	l.mu.Unlock()
	if most.count == 0 {
		most.count = most.batches * limits.Count
	}
	most.bytes = l.courier.room.take()
	f.room = most.bytes
	if err := l.fill(f, most); err != nil || len(f.items) == 0 {
		l.courier.room.give(f.room)
		return nil, err
	}
	return f, nil
}

// fill loads the flight and starts it.
func (l *lane) fill(f *flight, most bounds) error {
	if f.parked {
		if err := l.load(most.count, most.bytes); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var used int
	if f.parked {
		used = l.fillParked(f, most)
	} else {
		used = l.fillLive(f, most)
	}
	if len(f.items) == 0 {
		return nil
	}
	f.several = len(cut(f.items, f.limits)) < len(f.items)
	l.courier.room.give(f.room - used)
	f.room = used
	l.flight = f
	l.watch(f)
	return nil
}

// fillLive takes from the queue, and returns how much memory that holds. mu is held.
func (l *lane) fillLive(f *flight, most bounds) (used int) {
	if !l.resting && !l.backlogged && !l.parking {
		l.queue.unshift(l.spill)
		l.spill, l.spillBytes = nil, 0
	}
	before := l.queue.bytes
	f.items = l.queue.pop(cargo(l.queue.items[l.queue.head:], f.limits, most))
	f.more = l.queue.len() > 0
	return before - l.queue.bytes
}

// fillParked takes what is loaded, and returns how much memory all that is loaded holds. A
// lane that gropes its way, or that gets little room, lets go of the rest. mu is held.
func (l *lane) fillParked(f *flight, most bounds) (used int) {
	all := l.available(most.count)
	n := cargo(all, f.limits, most)
	f.items = all[:n:n]
	f.more = l.parked > n
	fits, loaded, size := l.loadedWithin(most.bytes)
	if l.window > 0 && l.window <= keptLoaded {
		fits = keptLoaded
	}
	if fits = max(n, fits); loaded <= fits {
		return size
	}
	l.unload(fits)
	f.items = l.available(n)
	_, _, size = l.loadedWithin(0)
	return size
}

// cargo returns how many of the items a flight takes, at least one if there is one.
func cargo(items []item, limits sink.Limits, most bounds) int {
	n := 0
	for range most.batches {
		n += len(cut(items[n:], limits))
		if n >= most.count || n == len(items) {
			break
		}
	}
	n = min(n, most.count)
	bytes := 0
	for i := range n {
		bytes += items[i].size()
		if bytes > most.bytes {
			return max(1, i)
		}
	}
	return n
}

// cut returns the longest beginning of items that makes one batch.
func cut(items []item, limits sink.Limits) []item {
	bytes := 0
	for i := range items {
		bytes += len(items[i].event.Record)
		if i > 0 && (i == limits.Count || bytes > limits.Bytes || items[i].loner() || items[0].loner()) {
			return items[:i]
		}
	}
	return items
}

// watch starts the clock by which a flight becomes slow. mu is held.
func (l *lane) watch(f *flight) {
	f.began = time.Now()
	if l.slowTimer == nil {
		l.slowTimer = time.AfterFunc(l.courier.set.Slow, l.slowTime)
		return
	}
	l.slowTimer.Reset(l.courier.set.Slow)
}

// slowTime has everything parked that waits behind a slow flight, and the flight itself,
// so that the log need not wait for it.
func (l *lane) slowTime() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flight == nil || time.Since(l.flight.began) < l.courier.set.Slow {
		return
	}
	l.slow = true
	l.hold()
	l.park()
}

// land ends the flight. If it is just being parked, it waits for that, so that everybody
// agrees where its items are.
func (l *lane) land(f *flight, driver string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.insuring == f {
		done := f.insuring
		l.mu.Unlock()
		<-done
		l.mu.Lock()
	}
	l.slowTimer.Stop()
	l.flight, l.slow, l.driver = nil, false, driver
}
