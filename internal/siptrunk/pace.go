package siptrunk

import (
	"math"
	"time"
)

// slack is how much lateness of our own is made good by calls that follow more closely.
// Timers are late by a millisecond; without it a hundred calls a second became ninety.
const slack = 20 * time.Millisecond

// pace spreads the calls of a trunk over time. Calls are spaced evenly, and no second ever
// holds more of them than the trunk allows, rounded up.
type pace struct {
	every  time.Duration // between two calls
	window time.Duration // in which len(past) calls may begin
	past   []time.Time   // when the last ones began, as a ring
	oldest int           // index in past
	next   time.Time     // when the next call is due, by the spacing
}

// newPace returns the pace of a trunk, nil for one without a limit.
func newPace(perSecond float64) *pace {
	if perSecond == 0 {
		return nil
	}
	n := math.Ceil(perSecond)
	return &pace{
		every:  time.Duration(float64(time.Second) / perSecond),
		window: time.Duration(n * float64(time.Second) / perSecond),
		past:   make([]time.Time, int(n)),
	}
}

// free returns when the next call may begin. The zero time, or one that is over, is now.
func (p *pace) free() time.Time {
	if p == nil {
		return time.Time{}
	}
	at := p.next
	if first := p.past[p.oldest]; !first.IsZero() {
		at = later(at, first.Add(p.window))
	}
	return at
}

// take counts a call that begins now, which must not be before free.
func (p *pace) take(now time.Time) {
	if p == nil {
		return
	}
	p.past[p.oldest] = now
	p.oldest = (p.oldest + 1) % len(p.past)
	p.next = later(p.next, now.Add(-slack)).Add(p.every)
}

// later returns the later one.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sooner returns the earlier one. The zero time is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
