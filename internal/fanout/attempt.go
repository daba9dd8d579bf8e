package fanout

import (
	"errors"
	"fmt"
	"time"

	"tidings/internal/sink"
)

var errDisabled = errors.New("destination is disabled")

// step makes one attempt, if there is anything to attempt. It reports whether the worker
// may go on.
func (l *lane) step() bool {
	target, enabled, ok := l.courier.Directory.Find(l.sub)
	l.mu.Lock()
	l.seen = sighting{target, enabled, ok}
	l.mu.Unlock()
	if !ok {
		return l.drop()
	}
	if !enabled {
		l.fail(failure{err: errDisabled, disabled: true})
		return true
	}
	s, err := l.courier.Sinks.Open(target)
	if err != nil {
		l.fail(failure{err: err})
		return true
	}
	defer l.close(s)
	f, err := l.take(s.Limits())
	if err != nil {
		l.fail(failure{err: fmt.Errorf("read parked deliveries: %w", err)})
		return true
	}
	if f != nil {
		l.deliver(s, target, f)
	}
	return true
}

func (l *lane) close(s sink.Sink) {
	if err := s.Close(); err != nil {
		l.courier.Logger.Warn("sink does not close", "destination", l.sub, "error", err)
	}
}

// deliver makes a flight and draws the consequences.
func (l *lane) deliver(s sink.Sink, target sink.Target, f *flight) {
	defer l.courier.room.give(f.room)
	driver := string(target.Kind)
	if named, ok := s.(interface{ Driver() string }); ok {
		driver = named.Driver()
	}
	v := newVolley(l, s, f, l.courier.Metrics.timer(driver))
	v.fly()
	took := time.Since(f.began)
	l.land(f, driver)
	d := v.judge()
	l.courier.Metrics.attempted(driver, &d)
	if d.err != nil && l.courier.life.Err() != nil {
		// Our own end is no failure. The log or the Lot still has what did not arrive.
		if !f.insured {
			l.courier.settle(d.pick(arrived))
		}
		return
	}
	l.learn(v, &d, took)
	l.bury(&d)
	l.conclude(f, &d, took)
}

// learn adapts the width to a flight.
func (l *lane) learn(v *volley, d *verdict, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.width.learn(landing{
		batches: len(v.trips), deliveries: d.count(arrived), took: took, busy: v.busy,
		failed: 2*d.count(failed, lone) > d.count(arrived), more: v.flight.more,
	}, l.courier.set.Concurrency)
}

// putBack returns items that were not tried to where they came from, together with those
// that failed with them. mu is held.
func (l *lane) putBack(f *flight, items []item) {
	switch {
	case f.parked, f.insured:
	case l.held():
		l.unspill(items)
	default:
		l.queue.unshift(items)
	}
}

// unspill puts items before all others that wait to be parked. mu is held.
func (l *lane) unspill(items []item) {
	if len(items) == 0 {
		return
	}
	rest := l.spill
	l.spill = nil
	l.spillOver(items...)
	l.spill = append(l.spill, rest...)
}
