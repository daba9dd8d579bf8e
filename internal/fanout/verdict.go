package fanout

import (
	"errors"
	"slices"
	"time"

	"tidings/internal/sink"
)

// fate is what became of a delivery in a flight.
type fate uint8

const (
	untried fate = iota // its batch was never begun
	split               // refused with all of its batch: it travels alone to find out who was meant
	arrived
	refused // never to be tried again
	given   // given up: it has failed for too long
	failed  // together with others
	lone    // failed alone in its batch, though the destination works, as far as known
)

// verdict is what became of the items of a flight.
type verdict struct {
	items   []item // in order
	fates   []fate // nil = all arrived
	reasons []string
	err     error         // why the last of those failed that did
	delay   time.Duration // how long the far end wants to be left alone
}

// judge sorts the items of a flight by what became of their batches.
func (v *volley) judge() verdict {
	d := verdict{items: v.flight.items}
	begun := 0
	whole := true
	for i := range v.trips {
		begun += v.trips[i].count()
		whole = whole && v.trips[i].err == nil
	}
	if whole && begun == len(d.items) {
		return d
	}
	d.fates, d.reasons = make([]fate, len(d.items)), make([]string, len(d.items))
	for i := range v.trips {
		d.add(&v.trips[i])
	}
	if begun > 1 && d.count(arrived) == 0 { // it is rather the destination
		d.change(lone, failed)
	}
	return d
}

// add judges a batch.
func (d *verdict) add(t *trip) {
	if t.err == nil {
		d.all(t, arrived)
		return
	}
	partial, ok := errors.AsType[*sink.PartialError](t.err)
	switch {
	case ok && sensible(partial, t.count()):
		d.addPartial(t, partial)
	case errors.Is(t.err, sink.ErrPermanent):
		d.all(t, refused)
	default:
		d.all(t, failed)
		d.err = t.err
	}
	d.delay = max(d.delay, sink.Delay(t.err))
	switch first := d.fates[t.seat(0)]; {
	case t.count() == 1 && first == failed:
		d.fates[t.seat(0)] = lone
	case t.count() > 1 && d.allAre(t, refused):
		// One bad record may have been enough.
		d.all(t, split)
		for i := range t.count() {
			d.items[t.seat(i)].isolate()
		}
	}
}

// sensible reports whether the error names some deliveries of a batch of n, and nothing
// else. If not, it is better to repeat than to lose.
func sensible(p *sink.PartialError, n int) bool {
	for i := range p.Failed {
		if i < 0 || i >= n {
			return false
		}
	}
	return len(p.Failed) > 0
}

func (d *verdict) addPartial(t *trip, p *sink.PartialError) {
	for i := range t.count() {
		n := t.seat(i)
		reason, ok := p.Failed[i]
		if !ok {
			d.fates[n] = arrived
			continue
		}
		if reason == nil {
			reason = p
		}
		d.delay = max(d.delay, sink.Delay(reason))
		d.reasons[n] = reason.Error()
		if errors.Is(reason, sink.ErrPermanent) {
			d.fates[n] = refused
			continue
		}
		d.fates[n], d.err = failed, reason
	}
}

// all gives all deliveries of a batch the same fate, for the batch's reason.
func (d *verdict) all(t *trip, f fate) {
	reason := ""
	if t.err != nil {
		reason = t.err.Error()
	}
	for i := range t.count() {
		d.fates[t.seat(i)], d.reasons[t.seat(i)] = f, reason
	}
}

func (d *verdict) allAre(t *trip, f fate) bool {
	for i := range t.count() {
		if d.fates[t.seat(i)] != f {
			return false
		}
	}
	return true
}

// is reports whether the i-th item has one of the fates.
func (d *verdict) is(i int, fates ...fate) bool {
	own := arrived
	if d.fates != nil {
		own = d.fates[i]
	}
	return slices.Contains(fates, own)
}

// pick returns the items with one of the fates, in order.
func (d *verdict) pick(fates ...fate) []item {
	if d.fates == nil && len(d.items) > 0 {
		if d.is(0, fates...) {
			return d.items
		}
		return nil
	}
	var some []item
	for i := range d.items {
		if d.is(i, fates...) {
			some = append(some, d.items[i])
		}
	}
	return some
}

// count returns how many items have one of the fates.
func (d *verdict) count(fates ...fate) int {
	if d.fates == nil && len(d.items) > 0 {
		if d.is(0, fates...) {
			return len(d.items)
		}
		return 0
	}
	n := 0
	for i := range d.items {
		if d.is(i, fates...) {
			n++
		}
	}
	return n
}

// change replaces a fate.
func (d *verdict) change(from, to fate) {
	for i, f := range d.fates {
		if f == from {
			d.fates[i] = to
		}
	}
}
