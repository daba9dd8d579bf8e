package fanout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/sink"
)

// volley sends a flight in batches, up to flight.width of them at once. Deliveries of one
// message go one after the other, in order. Once more batches have failed as a whole than have
// not, no further one is begun.
type volley struct {
	lane   *lane
	sink   sink.Sink
	flight *flight
	timer  prometheus.Observer // of batches; nil = nobody wants to know

	mu       sync.Mutex
	messages *chains // what was not begun; nil = the items from next on, in order
	next     int
	order    []int32 // of what was begun, as indexes of flight.items
	spare    int     // helpers that may still be started
	trips    []trip
	busy     time.Duration // by all trips, added up
	landed   int           // batches that have ended
	lost     int           // of these, batches that failed as a whole
	over     bool
	helpers  sync.WaitGroup
}

// trip is one batch.
type trip struct {
	from, to int     // items of the flight, unless there are
	seats    []int32 // the indexes of its items
	chain    int32   // whose rest waits for the end of this batch; -1 = none
	err      error
}

func (t *trip) count() int {
	if t.seats != nil {
		return len(t.seats)
	}
	return t.to - t.from
}

// seat returns the index in flight.items of the i-th delivery of the batch.
func (t *trip) seat(i int) int {
	if t.seats != nil {
		return int(t.seats[i])
	}
	return t.from + i
}

func newVolley(l *lane, s sink.Sink, f *flight, timer prometheus.Observer) *volley {
	v := &volley{lane: l, sink: s, flight: f, timer: timer}
	if f.width > 1 && f.several {
		v.messages = newChains(f.items)
		v.order = make([]int32, 0, len(f.items))
		v.spare = f.width - 1
	}
	return v
}

// fly sends all batches, or stops before.
func (v *volley) fly() {
	v.work()
	v.helpers.Wait()
}

// work sends batches while there are any to begin. When there is none, whoever has one in
// the air sends what waits for that: a batch keeps at most one message waiting.
func (v *volley) work() {
	for {
		number, t, ok := v.begin()
		if !ok {
			return
		}
		began := time.Now()
		err := v.send(&t)
		v.end(number, err, time.Since(began))
	}
}

// begin takes the next batch, if one may be begun.
func (v *volley) begin() (number int, t trip, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over || len(v.trips) > 0 && v.late() {
		return 0, trip{}, false
	}
	t = trip{from: v.next, chain: -1}
	if v.messages == nil {
		v.next += len(cut(v.flight.items[v.next:], v.flight.limits))
		t.to = v.next
	} else {
		from := len(v.order)
		v.order, t.chain = v.messages.take(v.order, v.flight)
		t.seats = v.order[from:]
	}
	if t.count() == 0 {
		return 0, trip{}, false
	}
	v.trips = append(v.trips, t)
	if v.spare > 0 && v.messages.first() >= 0 {
		v.spare--
		v.helpers.Go(v.work)
	}
	return len(v.trips) - 1, t, true
}

// late reports whether the time for more batches is over: the flight is slow, so that what
// it has not begun waits on disk, or the Courier ends.
func (v *volley) late() bool {
	c := v.lane.courier
	return c.stopped.Load() || c.life.Err() != nil || time.Since(v.flight.began) >= c.set.Slow
}

// end notes what became of a batch.
func (v *volley) end(number int, err error, took time.Duration) {
	if v.timer != nil {
		v.timer.Observe(took.Seconds())
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.busy += took
	t := &v.trips[number]
	t.err = err
	if t.chain >= 0 {
		v.messages.release(t.chain)
	}
	v.landed++
	if !stops(err, t.count()) {
		return
	}
	// A few that fail among many that arrive say nothing of the others.
	v.lost++
	v.over = v.over || 2*v.lost > v.landed || sink.Delay(err) > 0
}

// stops reports whether an attempt of n deliveries with that error failed as a whole, and
// not by the fault of the deliveries.
func stops(err error, n int) bool {
	if err == nil || errors.Is(err, sink.ErrPermanent) {
		return false
	}
	partial, ok := errors.AsType[*sink.PartialError](err)
	if !ok || len(partial.Failed) == 0 {
		return true
	}
	if len(partial.Failed) < n {
		return false
	}
	for _, reason := range partial.Failed {
		if !errors.Is(reason, sink.ErrPermanent) {
			return true
		}
	}
	return false
}

// send makes one attempt.
func (v *volley) send(t *trip) error {
	c := v.lane.courier
	ctx, cancel := context.WithTimeout(c.life, c.set.Timeout)
	defer cancel()
	err := v.sink.Deliver(ctx, v.batch(t))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v: %w", c.set.Timeout, err)
	}
	return err
}

// batch makes the deliveries of a trip. Their IDs share one string.
func (v *volley) batch(t *trip) []sink.Delivery {
	items, sub := v.flight.items, &v.lane.sub
	batch := make([]sink.Delivery, t.count())
	size := len(batch) * (1 + len(sub.Name))
	for i := range batch {
		size += len(items[t.seat(i)].event.ID)
	}
	var ids strings.Builder
	ids.Grow(size)
	for i := range batch {
		e := items[t.seat(i)].event
		from := ids.Len()
		ids.WriteString(e.ID)
		ids.WriteByte('/')
		ids.WriteString(sub.Name)
		batch[i] = sink.Delivery{ID: ids.String()[from:], Event: *e, Set: sub.Set, Destination: sub.Name}
	}
	return batch
}
