package fanout

import (
	"cmp"
	"slices"
	"time"
)

// State is how a subscriber is doing, in a word.
type State string

// The states.
const (
	OK       State = "ok"       // what comes is delivered
	Draining State = "draining" // deliveries succeed, but parked ones come first
	Slow     State = "slow"     // an attempt takes so long that what comes is parked
	Failing  State = "failing"  // the last attempt failed; the next one waits
	Disabled State = "disabled" // an operator or client said not now
)

// SubscriberStatus is how one event destination is doing, for people. Counts of what was
// done begin with the process.
type SubscriberStatus struct {
	Subscriber   Subscriber `json:"-"`
	Destination  string     `json:"destination"` // account/region/scope/set/name
	Target       string     `json:"target,omitempty"`
	Driver       string     `json:"driver,omitempty"`
	State        State      `json:"state"`
	Delivered    uint64     `json:"delivered"`
	Pending      int        `json:"pending"`               // in memory
	Parked       int        `json:"parked"`                // on disk
	Oldest       time.Time  `json:"oldest,omitzero"`       // when the oldest event not yet delivered happened
	Lag          float64    `json:"lagSeconds"`            // the age of that event
	Failures     int        `json:"consecutiveFailures"`   // attempts in a row; 0 while disabled
	Width        int        `json:"concurrency"`           // batches that may be under way at once
	LastError    string     `json:"lastError,omitempty"`   // of the last attempt that failed
	LastFailed   time.Time  `json:"lastFailed,omitzero"`   // when that was
	FailingSince time.Time  `json:"failingSince,omitzero"` // zero = the last attempt succeeded
	RetryAt      time.Time  `json:"retryAt,omitzero"`      // when the next attempt is due
}

// Status lists every subscriber that had a delivery since the process began, or has one
// waiting, in order.
func (c *Courier) Status() []SubscriberStatus {
	now := c.now()
	var all []SubscriberStatus
	for _, l := range c.all() {
		all = append(all, l.status(now))
	}
	slices.SortFunc(all, func(a, b SubscriberStatus) int { return cmp.Compare(a.Destination, b.Destination) })
	return all
}

func (l *lane) status(now time.Time) SubscriberStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := SubscriberStatus{
		Subscriber: l.sub, Destination: l.sub.String(), Target: l.seen.target.ARN.String(), Driver: l.driver,
		State: OK, Delivered: l.delivered, Pending: l.queue.len() + len(l.spill), Parked: l.parked,
		Failures: l.failures, Width: l.width.now(), LastError: l.lastErr, LastFailed: l.lastFailed, FailingSince: l.failingSince,
	}
	if l.flight != nil && !l.flight.parked && !l.flight.insured {
		s.Pending += len(l.flight.items)
	}
	switch {
	case l.resting && l.disabled:
		s.State, s.Failures = Disabled, 0
	case !l.failingSince.IsZero():
		s.State = Failing
	case l.slow:
		s.State = Slow
	case l.backlogged:
		s.State = Draining
	}
	if l.resting {
		s.RetryAt = now.Add(time.Until(l.restEnd)).UTC()
	}
	if oldest := l.oldest(); !oldest.IsZero() {
		s.Oldest, s.Lag = oldest, max(0, now.Sub(oldest).Seconds())
	}
	return s
}

// oldest is when the oldest event not yet delivered happened, as far as memory knows; zero
// = none is waiting. mu is held.
func (l *lane) oldest() time.Time {
	var oldest time.Time
	older := func(t time.Time) {
		if oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
	}
	if l.backlogged && l.parked > 0 {
		older(l.parkedOldest)
	}
	if l.flight != nil && len(l.flight.items) > 0 {
		older(l.flight.items[0].event.Time)
	}
	if l.queue.len() > 0 {
		older(l.queue.peek(0).event.Time)
	}
	if len(l.spill) > 0 {
		older(l.spill[0].event.Time)
	}
	return oldest
}
