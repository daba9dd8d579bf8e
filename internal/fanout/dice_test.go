package fanout_test

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"
	"time"

	"tidings/internal/sink"
)

// dice are random far ends that behave the same whenever they are asked the same, in
// whatever order several batches arrive.
type dice struct {
	seed uint64

	mu    sync.Mutex
	rolls map[string]int // by delivery
}

func newDice(seed uint64) *dice { return &dice{seed: seed, rolls: map[string]int{}} }

// roll returns a number below n. It depends on how often the delivery was rolled for.
func (d *dice) roll(e *sink.Delivery, n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rolls[e.ID]++
	h := fnv.New64a()
	_, _ = h.Write([]byte(e.ID))
	x := h.Sum64() ^ d.seed ^ uint64(d.rolls[e.ID])*0x9e3779b97f4a7c15
	x ^= x >> 31
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 29
	return int(x % uint64(n))
}

// late takes everything after a time.
func (d *dice) late(long func(e *sink.Delivery) time.Duration) script {
	return func(ctx context.Context, batch []sink.Delivery) error {
		select {
		case <-time.After(long(&batch[0])):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// flaky fails half of the batches.
func (d *dice) flaky(_ context.Context, batch []sink.Delivery) error {
	if d.roll(&batch[0], 2) == 0 {
		return errDown
	}
	return nil
}

// partial fails a quarter of the deliveries, refuses another, and once in a while asks to
// be left alone.
func (d *dice) partial(_ context.Context, batch []sink.Delivery) error {
	failed := map[int]error{}
	for i := range batch {
		switch d.roll(&batch[i], 9) {
		case 0, 1:
			failed[i] = errDown
		case 2, 3:
			failed[i] = sink.Permanent(errors.New("malformed"))
		case 4:
			failed[i] = sink.RetryAfter(errDown, time.Minute)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &sink.PartialError{Failed: failed}
}

// busy fails half of the batches and asks to be left alone for up to an hour and a half.
func (d *dice) busy(_ context.Context, batch []sink.Delivery) error {
	if d.roll(&batch[0], 2) == 0 {
		return sink.RetryAfter(errDown, time.Duration(d.roll(&batch[0], 90))*time.Minute)
	}
	return nil
}

// poison fails batches with one of a third of the messages.
func (d *dice) poison(err error) script {
	return func(_ context.Context, batch []sink.Delivery) error {
		for i := range batch {
			if batch[i].Event.Message[5]%3 == 0 {
				return err
			}
		}
		return nil
	}
}
