package fanout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tidings/internal/sink"
)

// flight is a batch on its way.
type flight struct {
	items  []item
	parked bool      // they come from the Lot and are still there
	began  time.Time // with the monotonic clock

	// While a slow flight is being parked, the lane's insuring is the flight, and the
	// channel is closed when that has ended. insured tells that it is in the Lot: no tally
	// waits for it any more. Guarded by lane.mu.
	insured  bool
	insuring chan struct{}
}

// verdict is what became of the items of a flight. Each is in one of the lists.
type verdict struct {
	delivered []item
	refused   []refusal // never to be tried again
	failed    []item
	err       error // the reason of the last failed one
}

type refusal struct {
	item item
	err  error
}

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

// take takes the next batch: from what is parked, else from memory. nil = there is none.
func (l *lane) take(limits sink.Limits) (*flight, error) {
	l.mu.Lock()
	if l.window > 0 {
		limits.Count = min(limits.Count, l.window)
	}
	if l.isolate > 0 {
		limits.Count = 1
	}
	parked := l.backlogged && !l.resting
	l.mu.Unlock()
	if parked {
		if err := l.load(limits); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &flight{parked: parked}
	if parked {
		f.items = cut(l.available(limits.Count), limits)
	} else {
		if !l.resting && !l.backlogged && !l.parking {
			l.queue.unshift(l.spill)
			l.spill, l.spillBytes = nil, 0
		}
		f.items = l.queue.pop(len(cut(l.queue.items[l.queue.head:], limits)))
	}
	if len(f.items) == 0 {
		return nil, nil
	}
	l.flight = f
	l.watch(f)
	return f, nil
}

// cut returns the longest beginning of items that makes one batch.
func cut(items []item, limits sink.Limits) []item {
	bytes := 0
	for i := range items {
		bytes += len(items[i].event.Record)
		if i > 0 && (i == limits.Count || bytes > limits.Bytes || items[i].suspect() || items[0].suspect()) {
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

// deliver makes an attempt and draws the consequences.
func (l *lane) deliver(s sink.Sink, target sink.Target, f *flight) {
	driver := string(target.Kind)
	if named, ok := s.(interface{ Driver() string }); ok {
		driver = named.Driver()
	}
	ctx, cancel := context.WithTimeout(l.courier.life, l.courier.set.Timeout)
	err := s.Deliver(ctx, l.batch(f.items))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v: %w", l.courier.set.Timeout, err)
	}
	cancel()
	v := l.judge(f.items, err)
	took := time.Since(f.began)
	l.courier.Metrics.attempted(driver, &v, took)
	l.land(f, driver)
	if v.err != nil && l.courier.life.Err() != nil {
		// Our own end is no failure. The log or the Lot still has what did not arrive.
		if !f.insured {
			l.courier.settle(v.delivered)
		}
		return
	}
	if l.split(f, &v) {
		return
	}
	if len(v.refused) > 0 {
		l.bury(&v)
	}
	l.conclude(f, &v, took)
}

// batch makes deliveries of items. Their IDs share one string.
func (l *lane) batch(items []item) []sink.Delivery {
	size := len(items) * (1 + len(l.sub.Name))
	for i := range items {
		size += len(items[i].event.ID)
	}
	var ids strings.Builder
	ids.Grow(size)
	batch := make([]sink.Delivery, len(items))
	for i := range items {
		from := ids.Len()
		ids.WriteString(items[i].event.ID)
		ids.WriteByte('/')
		ids.WriteString(l.sub.Name)
		batch[i] = sink.Delivery{
			ID: ids.String()[from:], Event: *items[i].event, Set: l.sub.Set, Destination: l.sub.Name,
		}
	}
	return batch
}

// judge sorts the items of a flight by what Deliver said of them.
func (l *lane) judge(items []item, err error) verdict {
	if err == nil {
		return verdict{delivered: items}
	}
	partial, ok := errors.AsType[*sink.PartialError](err)
	if !ok || len(partial.Failed) == 0 {
		if errors.Is(err, sink.ErrPermanent) {
			v := verdict{}
			for _, it := range items {
				v.refused = append(v.refused, refusal{it, err})
			}
			return v
		}
		return verdict{failed: items, err: err}
	}
	var v verdict
	for i, it := range items {
		reason, failed := partial.Failed[i]
		switch {
		case !failed:
			v.delivered = append(v.delivered, it)
		case errors.Is(reason, sink.ErrPermanent):
			v.refused = append(v.refused, refusal{it, reason})
		default:
			if reason == nil {
				reason = partial
			}
			v.failed, v.err = append(v.failed, it), reason
		}
	}
	if len(v.failed)+len(v.refused) != len(partial.Failed) {
		// It names deliveries that the batch does not have. Better repeat than lose.
		return verdict{failed: items, err: err}
	}
	return v
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

// split has a batch that was refused as a whole delivered one by one, because one bad
// record may have been enough. It reports whether it did.
func (l *lane) split(f *flight, v *verdict) bool {
	if len(v.refused) < 2 || len(v.refused) < len(f.items) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isolate = len(f.items)
	l.putBack(f)
	return true
}

// putBack returns a flight to where it came from. mu is held.
func (l *lane) putBack(f *flight) {
	switch {
	case f.parked, f.insured:
	case l.held():
		l.unspill(f.items)
	default:
		l.queue.unshift(f.items)
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
