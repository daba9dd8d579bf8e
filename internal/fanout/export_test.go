package fanout

import "fmt"

// Widen sets how many batches of a subscriber may be in the air at once, as if it had been
// learned.
func (c *Courier) Widen(s Subscriber, size int) {
	l := c.lane(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.width.set(min(size, c.set.Concurrency))
}

// Lanes returns how many subscribers have a lane, and how many of these are looked after.
func (c *Courier) Lanes() (all, busy int) { return len(c.all()), len(c.busy.all()) }

// InFlight returns the bytes that flights hold of their room.
func (c *Courier) InFlight() int { return c.set.TotalBytes/4 - int(c.room.left.Load()) }

// Audit checks the books while nothing moves: every delivery in memory is counted there
// and by a tally that waits for it.
func (c *Courier) Audit() error {
	tallies := map[*tally]int64{}
	count, bytes := 0, 0
	owe := func(items []item) {
		for i := range items {
			t := items[i].tally
			tallies[t]++
			if t.live {
				count++
				bytes += items[i].size()
			}
		}
	}
	for _, l := range c.all() {
		l.mu.Lock()
		owe(l.queue.items[l.queue.head:])
		owe(l.spill)
		if f := l.flight; f != nil && !f.insured && !f.parked {
			owe(f.items)
		}
		for _, p := range l.packs {
			if p.whole {
				owe(p.items)
			}
		}
		l.mu.Unlock()
	}
	for t, n := range tallies {
		if left := t.left.Load(); left < n {
			return fmt.Errorf("a tally waits for %d deliveries, and %d of it are in memory", left, n)
		}
	}
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	if c.memory.count != count || c.memory.bytes != bytes {
		return fmt.Errorf("%d deliveries of %d bytes are counted, %d of %d are in memory", c.memory.count, c.memory.bytes, count, bytes)
	}
	return nil
}
