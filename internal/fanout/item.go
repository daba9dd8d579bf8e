package fanout

import (
	"slices"
	"sync/atomic"
	"time"

	"tidings/internal/event"
)

// tally counts down the deliveries that came together: those of a pack of the log, or
// those of a parked pack.
type tally struct {
	left atomic.Int64
	live bool // from the log: its deliveries count towards the memory in use
	done func()
}

func (t *tally) settle(n int64) {
	if t.left.Add(-n) == 0 {
		t.done()
	}
}

// item is a delivery in memory. It is owed until its tally is settled.
type item struct {
	event *event.Event
	tally *tally
	past  *past // nil = never failed
	place int   // in its parked pack
}

// past is what went wrong with a delivery before. It is replaced, never changed.
type past struct {
	attempts int
	first    time.Time
	last     string
	alone    bool // it was refused together with others, and travels alone to find out who was meant
}

// itemOverhead is what a delivery costs in memory beside its record, roughly: its share of
// the event, the item, and the delivery handed to the sink.
const itemOverhead = 512

func (it *item) size() int { return len(it.event.Record) + itemOverhead }

func (it *item) attempts() int {
	if it.past == nil {
		return 0
	}
	return it.past.attempts
}

// fail notes an attempt that failed.
func (it *item) fail(now time.Time, reason string) {
	p := past{attempts: it.attempts() + 1, first: now, last: reason}
	if it.past != nil {
		p.alone = it.past.alone
		if !it.past.first.IsZero() {
			p.first = it.past.first
		}
	}
	it.past = &p
}

// isolate has the delivery travel alone. That is forgotten when it is parked.
func (it *item) isolate() {
	p := past{alone: true}
	if it.past != nil {
		p = *it.past
		p.alone = true
	}
	it.past = &p
}

// loner reports whether the delivery travels alone: it has failed so often that it may be
// the reason itself, or it was refused together with others.
func (it *item) loner() bool {
	return it.past != nil && (it.past.attempts >= 2 || it.past.alone)
}

// delivery returns the item in the form in which it is kept.
func (it *item) delivery() Delivery {
	d := Delivery{Event: *it.event}
	if it.past != nil {
		d.Attempts, d.FirstFailed, d.LastError = it.past.attempts, it.past.first, it.past.last
	}
	return d
}

// itemOf is the way back from delivery.
func itemOf(d *Delivery, t *tally, place int) item {
	it := item{event: &d.Event, tally: t, place: place}
	if d.Attempts > 0 || !d.FirstFailed.IsZero() {
		it.past = &past{attempts: d.Attempts, first: d.FirstFailed, last: d.LastError}
	}
	return it
}

// keepCap is how many places an empty queue may keep for what comes next.
const keepCap = 1_024

// fifo is a queue of items. The zero value is empty.
type fifo struct {
	items []item
	head  int
	bytes int
}

func (q *fifo) len() int { return len(q.items) - q.head }

func (q *fifo) push(it item) {
	q.items = append(q.items, it)
	q.bytes += it.size()
}

func (q *fifo) peek(i int) *item { return &q.items[q.head+i] }

// pop takes the first n items out. They are the caller's own.
func (q *fifo) pop(n int) []item {
	taken := make([]item, n)
	copy(taken, q.items[q.head:])
	clear(q.items[q.head : q.head+n])
	q.head += n
	for i := range taken {
		q.bytes -= taken[i].size()
	}
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > keepCap {
			q.items = nil
		}
	} else if q.head > len(q.items)/2 {
		rest := copy(q.items, q.items[q.head:])
		clear(q.items[rest:])
		q.items, q.head = q.items[:rest], 0
	}
	return taken
}

// unshift puts items before all others.
func (q *fifo) unshift(items []item) {
	if len(items) == 0 {
		return
	}
	q.items = append(slices.Clip(items), q.items[q.head:]...)
	q.head = 0
	for i := range items {
		q.bytes += items[i].size()
	}
}

// drain takes everything out.
func (q *fifo) drain() []item {
	all := q.items[q.head:]
	*q = fifo{}
	return all
}
