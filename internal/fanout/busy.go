package fanout

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// busy are the lanes that may hold something or rest. Whatever looks after lanes looks only
// after these: there may be a hundred thousand others, which have nothing to do.
type busy struct {
	mu    sync.Mutex // taken after a lane's
	lanes map[*lane]struct{}
}

func (b *busy) add(l *lane) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lanes[l] = struct{}{}
}

func (b *busy) remove(l *lane) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.lanes, l)
}

func (b *busy) all() []*lane {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*lane, 0, len(b.lanes))
	for l := range b.lanes {
		all = append(all, l)
	}
	return all
}

// list enters the lane among the busy ones. mu is held.
func (l *lane) list() {
	if !l.listed {
		l.listed = true
		l.courier.busy.add(l)
	}
}

// unlist takes the lane out if it has nothing to do, and lets go of what it needs only
// then.
func (l *lane) unlist() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.listed || !l.idle() || l.resting || l.parkDue || l.removals.pending() {
		return
	}
	l.listed = false
	l.courier.busy.remove(l)
	l.queue, l.spill, l.packs, l.passed = fifo{}, nil, nil, nil
	for _, t := range []**time.Timer{&l.slowTimer, &l.parkTimer, &l.restTimer} {
		if *t != nil {
			(*t).Stop()
			*t = nil
		}
	}
}

// How often lanes that wait look whether their destination was changed, and after how many
// of these times all lanes look whether it was deleted.
const (
	recheckEvery    = time.Second
	recheckAllEvery = 60
)

// hurryAfter is how long a flight may take when the log is waiting for its packs.
const hurryAfter = 50 * time.Millisecond

// relieveEvery is the least time between two looks for what can leave the memory.
const relieveEvery = 10 * time.Millisecond

// sometimes allows a thing once in relieveEvery.
type sometimes struct {
	mu   sync.Mutex
	last time.Time
}

// allow reports whether the thing may be done now, and after which time to ask again.
func (s *sometimes) allow(now time.Time) (ok bool, again time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if passed := now.Sub(s.last); passed < relieveEvery {
		return false, relieveEvery - passed
	}
	s.last = now
	return true, 10 * relieveEvery // what was set going tells when it has made room
}

// relieve makes room in memory: what waits to be parked is parked now, and if nothing
// does, the fullest lanes have to, until a part of the memory is on its way to the disk.
func (c *Courier) relieve() {
	type full struct {
		lane  *lane
		bytes int
	}
	var queues []full
	relief := false
	for _, l := range c.busy.all() {
		parking, queued := l.relieve()
		relief = relief || parking
		if queued > 0 {
			queues = append(queues, full{l, queued})
		}
	}
	if relief {
		return
	}
	slices.SortFunc(queues, func(a, b full) int { return cmp.Compare(b.bytes, a.bytes) })
	enough := c.memory.inUse() / 16
	for _, q := range queues {
		q.lane.overflow()
		if enough -= q.bytes; enough <= 0 {
			return
		}
	}
}

// hurry has lanes park what keeps packs from being acknowledged.
func (c *Courier) hurry() {
	for _, l := range c.busy.all() {
		l.hurry(hurryAfter)
	}
}

// recheck looks after lanes that wait, and forgets those whose subscriber is gone.
func (c *Courier) recheck(all bool) {
	lanes := c.busy.all()
	if all {
		lanes = c.all()
	}
	for _, l := range lanes {
		if l.removals.pending() { // removing has failed, and there may be no next time
			c.spawn(l.sweep)
		}
		if all || l.waits() {
			target, enabled, ok := c.Directory.Find(l.sub)
			l.recheck(sighting{target, enabled, ok})
			if !ok {
				c.retire(l)
			}
		}
		l.unlist()
	}
}

// retire forgets a lane that has nothing to do.
func (c *Courier) retire(l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle() && !l.removals.pending() {
		l.retired = true
		delete(c.lanes, l.sub)
		c.busy.remove(l)
	}
}

// Wake has all destinations that rest after a failure tried at once: an operator has
// probably just mended them. Those that are disabled rest on.
func (c *Courier) Wake() {
	for _, l := range c.busy.all() {
		l.rouse()
	}
}

// rouse ends the rest after a failure.
func (l *lane) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.resting && !l.disabled {
		l.endRest()
	}
}

// recheck ends the rest when there is news: an operator has mended the destination, or
// somebody has deleted it.
func (l *lane) recheck(now sighting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.resting && now != l.seen {
		l.endRest()
	}
}

// relieve parks at once what waits for it. It reports whether something is on its way to
// the disk, and how many bytes the queue holds.
func (l *lane) relieve() (parking bool, queued int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spill) > 0 {
		l.park()
	}
	return l.parking, l.queue.bytes
}

// hurry has everything parked that the log has waited for, if the flight has taken long
// already.
func (l *lane) hurry(long time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flight != nil && time.Since(l.flight.began) >= long {
		l.slow = true
		l.hold()
	}
	l.park()
}

// overflow parks the queue.
func (l *lane) overflow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold()
	l.park()
}
