package fanout

import "tidings/internal/sink"

// chains are the deliveries of a flight that were not begun, by message. Those of one
// message form a chain, in the order of the log; the chains stand in the order in which
// they begin. While a batch holds a part of a chain, the rest of it is not to be had.
type chains struct {
	all      []chain
	fresh    int32   // the first chain that was never touched
	released []int32 // chains whose first part has landed; the last of them is the next
	after    []int32 // by item: the next of the same message; -1 = none
	left     int     // deliveries not begun
}

type chain struct {
	head, tail int32 // items; head is the next
	count      int   // that are left
	bytes      int   // of their records
}

func newChains(items []item) *chains {
	c := &chains{after: make([]int32, len(items)), left: len(items)}
	byMessage := make(map[string]int32, len(items))
	for i := range items {
		e := items[i].event
		c.after[i] = -1
		n, ok := byMessage[e.Message]
		if !ok || e.Message == "" { // an event of no message follows nobody
			n = int32(len(c.all))
			byMessage[e.Message] = n
			c.all = append(c.all, chain{head: int32(i), tail: int32(i)})
		} else {
			c.after[c.all[n].tail] = int32(i)
			c.all[n].tail = int32(i)
		}
		c.all[n].count++
		c.all[n].bytes += len(e.Record)
	}
	return c
}

// first returns the chain to take from next; -1 = none is to be had.
func (c *chains) first() int32 {
	switch {
	case len(c.released) > 0:
		return c.released[len(c.released)-1]
	case int(c.fresh) < len(c.all):
		return c.fresh
	}
	return -1
}

// leave takes the chain of first out.
func (c *chains) leave() {
	if len(c.released) > 0 {
		c.released = c.released[:len(c.released)-1]
		return
	}
	c.fresh++
}

// release makes the rest of a chain available again.
func (c *chains) release(n int32) { c.released = append(c.released, n) }

// take appends the items of the next batch to the order. If it ends within a chain, that
// is returned, and has to be released once the batch has landed; if not, -1 is.
func (c *chains) take(order []int32, f *flight) ([]int32, int32) {
	b := batch{limits: f.limits}
	for {
		n := c.first()
		if n < 0 || c.tooLong(&c.all[n], &b, f) {
			return order, -1
		}
		ch := &c.all[n]
		began := ch.count
		for ch.count > 0 && b.add(&f.items[ch.head]) {
			order = append(order, ch.head)
			ch.bytes -= len(f.items[ch.head].event.Record)
			ch.count--
			ch.head = c.after[ch.head]
			c.left--
		}
		switch ch.count {
		case 0:
			c.leave()
		case began:
			return order, -1
		default:
			c.leave()
			return order, n
		}
	}
}

// tooLong reports whether a chain should rather begin the next batch: it would have to be
// cut, need not be there, and its rest could become the last that everybody waits for.
func (c *chains) tooLong(ch *chain, b *batch, f *flight) bool {
	if b.fits(ch.count, ch.bytes) || ch.count > f.limits.Count || ch.bytes > f.limits.Bytes {
		return false
	}
	return c.left < f.width*f.limits.Count
}

// batch counts what a batch holds.
type batch struct {
	limits sink.Limits
	count  int
	bytes  int
	loner  bool
}

// fits reports whether so much can be added. Into an empty batch, everything fits.
func (b *batch) fits(count, bytes int) bool {
	return b.count == 0 || b.count+count <= b.limits.Count && b.bytes+bytes <= b.limits.Bytes
}

// add takes the item in, if it fits.
func (b *batch) add(it *item) bool {
	size, loner := len(it.event.Record), it.loner()
	if !b.fits(1, size) || b.count > 0 && (loner || b.loner) {
		return false
	}
	b.count, b.bytes, b.loner = b.count+1, b.bytes+size, loner
	return true
}
