package fanout

import "time"

// parkRetry is the pause after deliveries could not be parked, doubled each time up to
// parkRetryMax. They stay in memory, and with them their packs unacknowledged.
const (
	parkRetry    = time.Second
	parkRetryMax = 30 * time.Second
)

// parkSoon has the spill parked: at once when there is much of it, else after a delay in
// which more may come. mu is held.
func (l *lane) parkSoon() {
	if l.parking {
		return
	}
	if l.parkFailures == 0 && l.spillIsLarge() {
		l.park()
		return
	}
	l.parkAfter(l.courier.set.ParkDelay)
}

func (l *lane) spillIsLarge() bool {
	return len(l.spill) >= l.courier.set.ParkCount || l.spillBytes >= l.courier.set.ParkBytes
}

// parkAfter starts the timer of the parker unless it runs. mu is held.
func (l *lane) parkAfter(d time.Duration) {
	if l.parkDue || l.courier.stopped.Load() {
		return
	}
	l.parkDue = true
	if l.parkTimer == nil {
		l.parkTimer = time.AfterFunc(d, l.parkTime)
		return
	}
	l.parkTimer.Reset(d)
}

func (l *lane) parkTime() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parkDue = false
	l.startParker()
}

// park starts the parker, unless parking has just failed and is to wait. mu is held.
func (l *lane) park() {
	if l.parkFailures > 0 && l.parkDue {
		return
	}
	l.startParker()
}

// startParker starts the parker if there is anything to park. mu is held.
func (l *lane) startParker() {
	if l.parking || len(l.spill) == 0 && !l.flightNeedsParking() {
		return
	}
	l.parking = l.courier.spawn(l.parkAll)
}

// flightNeedsParking reports whether the flight under way holds what only memory has, and
// has to be in the Lot: because it is slow, or because what comes after it goes there, and
// must not come before those of its deliveries that are not tried yet. mu is held.
func (l *lane) flightNeedsParking() bool {
	f := l.flight
	if f == nil || f.parked || f.insured {
		return false
	}
	return l.slow || f.several && len(l.spill) > 0
}

// parkAll parks until little is left, which may wait for more.
func (l *lane) parkAll() {
	for more := true; more; {
		var parked []item
		parked, more = l.parkOnce()
		l.courier.settle(parked)
	}
	l.sweep()
}

// parkOnce parks one pack. It returns what is parked now, and whether more should be; if
// not, the parker has ended.
func (l *lane) parkOnce() (parked []item, more bool) {
	chunk, f, ds := l.takeChunk()
	var err error
	if len(ds) > 0 {
		err = l.courier.Lot.Park(l.courier.life, l.sub, ds)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if f != nil {
		f.insured = err == nil
		l.insuring = nil
		close(f.insuring)
	}
	if len(ds) > 0 {
		l.backlogged = true // also after an error: a part may have been stored
		l.generation++
	}
	if err != nil {
		l.parkFailed(chunk, f, err)
		l.parking = false
		l.wake()
		return nil, false
	}
	l.noteParked(chunk)
	l.parking = l.flightNeedsParking() || l.spillIsLarge() || f != nil && f.several && len(l.spill) > 0
	if !l.parking && len(l.spill) > 0 {
		l.parkSoon()
	}
	l.wake()
	return chunk, l.parking
}

// takeChunk takes out what is parked next: what the attempt under way holds, or the first
// part of the spill.
func (l *lane) takeChunk() (chunk []item, f *flight, ds []Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flightNeedsParking() {
		f = l.flight
		f.insuring = make(chan struct{})
		l.insuring = f
		chunk = f.items
	} else {
		n, bytes := 0, 0
		for n < min(len(l.spill), l.courier.set.ParkCount) && (n == 0 || bytes+l.spill[n].size() <= l.courier.set.ParkBytes) {
			bytes += l.spill[n].size()
			n++
		}
		chunk, l.spill = l.spill[:n:n], l.spill[n:]
		l.spillBytes -= bytes
	}
	ds = make([]Delivery, len(chunk))
	for i := range chunk {
		ds[i] = chunk[i].delivery()
	}
	l.stamp(ds)
	return chunk, f, ds
}

// noteParked counts what was parked. mu is held.
func (l *lane) noteParked(chunk []item) {
	l.parkFailures = 0
	if len(chunk) == 0 {
		return
	}
	l.courier.Metrics.wasParked(len(chunk))
	if l.parked == 0 {
		l.parkedOldest = chunk[0].event.Time
	}
	l.parked += len(chunk)
	for i := range chunk {
		if chunk[i].attempts() == 0 {
			l.tour = 0
		}
	}
}

// parkFailed takes the chunk back. mu is held.
func (l *lane) parkFailed(chunk []item, f *flight, err error) {
	if f == nil {
		for i := range chunk {
			l.spillBytes += chunk[i].size()
		}
		l.spill = append(chunk, l.spill...)
	}
	if l.courier.life.Err() != nil {
		return
	}
	l.parkFailures++
	pause := backoff(l.parkFailures, parkRetry, parkRetryMax)
	if l.parkFailures == 1 {
		l.courier.Logger.Error("deliveries cannot be parked and stay in memory",
			"destination", l.sub, "deliveries", len(l.spill), "error", err, "retry_in", pause)
	}
	l.parkAfter(pause)
}
