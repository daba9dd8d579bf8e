package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"tidings/internal/sink"
)

func checkLimits(tb testing.TB, h *Harness) {
	if err := h.Driver.Check(h.Target); err != nil {
		tb.Errorf("Check(%v) = %v, want nil for a target that works", h.Target.ARN, err)
	}
	if l := open(tb, h).Limits(); l.Count < 1 || l.Bytes < 1 {
		tb.Errorf("Limits() = %+v, want at least 1 of each", l)
	}
}

func checkOpenIsQuiet(tb testing.TB, h *Harness) {
	if h.Contacts == nil {
		tb.Skip("the harness cannot count contacts")
	}
	before := h.Contacts(tb)
	s := open(tb, h)
	s.Limits()
	if got := h.Contacts(tb) - before; got != 0 {
		tb.Errorf("Open made %d contacts, want none before the first delivery", got)
	}
}

func checkDelivers(tb testing.TB, h *Harness) {
	s := open(tb, h)
	batch := deliveries(h.Target, min(7, s.Limits().Count))
	if err := s.Deliver(tb.Context(), batch); err != nil {
		tb.Fatalf("Deliver = %v", err)
	}
	if got := wantReceived(tb, h, batch, 1); len(got) != len(batch) {
		tb.Errorf("%d records arrived, want %d", len(got), len(batch))
	}
}

func checkFullBatch(tb testing.TB, h *Harness) {
	s := open(tb, h)
	limits := s.Limits()
	var batch []sink.Delivery
	size := 0
	for _, d := range deliveries(h.Target, min(limits.Count, 20_000)) {
		if size += len(d.Event.Record); size > limits.Bytes {
			break
		}
		batch = append(batch, d)
	}
	if err := s.Deliver(tb.Context(), batch); err != nil {
		tb.Fatalf("Deliver of %d records = %v, want nil within %+v", len(batch), err, limits)
	}
	wantReceived(tb, h, batch, 1)
}

func checkLargeRecord(tb testing.TB, h *Harness) {
	s := open(tb, h)
	size := s.Limits().Bytes + 1
	if size > 32<<20 {
		tb.Skip("the sink's limit is beyond what the suite sends")
	}
	record := fmt.Appendf(nil, `{"text":"%s"}`, bytes.Repeat([]byte{'x'}, size))
	batch := []sink.Delivery{delivery(h.Target, record)}
	switch err := s.Deliver(tb.Context(), batch); {
	case err == nil:
		wantReceived(tb, h, batch, 1)
	case !permanent(err):
		tb.Errorf("Deliver of a record above the limit = %v, want nil or a permanent failure", err)
	}
}

func checkRepeats(tb testing.TB, h *Harness) {
	s := open(tb, h)
	batch := deliveries(h.Target, min(3, s.Limits().Count))
	for range 2 {
		if err := s.Deliver(tb.Context(), batch); err != nil {
			tb.Fatalf("Deliver = %v, want nil also for a repeat", err)
		}
	}
	received := h.Received(tb)
	for i := range batch {
		if !contains(received, batch[i].Event.Record) {
			tb.Errorf("the record of %s did not arrive", batch[i].ID)
		}
	}
}

func checkConcurrent(tb testing.TB, h *Harness) {
	s := open(tb, h)
	const workers, rounds = 8, 20
	size := min(5, s.Limits().Count)
	all := deliveries(h.Target, workers*rounds*size)
	var wg sync.WaitGroup
	for w := range workers {
		mine := all[w*rounds*size : (w+1)*rounds*size]
		wg.Go(func() {
			for r := range rounds {
				if err := s.Deliver(tb.Context(), mine[r*size:(r+1)*size]); err != nil {
					tb.Errorf("Deliver by worker %d = %v", w, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := wantReceived(tb, h, all, 1); len(got) != len(all) {
		tb.Errorf("%d records arrived, want %d", len(got), len(all))
	}
}

func checkTemporary(tb testing.TB, h *Harness) {
	if h.Break == nil {
		tb.Skip("the harness cannot break the far end")
	}
	s := open(tb, h)
	batch := deliveries(h.Target, min(3, s.Limits().Count))
	mend := h.Break(tb)
	err := s.Deliver(tb.Context(), batch)
	mend()
	if err == nil || permanent(err) {
		tb.Errorf("Deliver to a broken far end = %v, want a failure that may pass", err)
	}
	if err := s.Deliver(tb.Context(), batch); err != nil {
		tb.Fatalf("Deliver after the far end was mended = %v", err)
	}
	for _, d := range batch {
		if !contains(h.Received(tb), d.Event.Record) {
			tb.Errorf("the record of %s did not arrive", d.ID)
		}
	}
}

func checkPermanent(tb testing.TB, h *Harness) {
	if h.Poison == nil {
		tb.Skip("the harness has no poison")
	}
	s := open(tb, h)
	if err := s.Deliver(tb.Context(), []sink.Delivery{delivery(h.Target, h.Poison)}); !permanent(err) {
		tb.Errorf("Deliver of a poisoned record = %v, want a permanent failure", err)
	}
}

// checkPartial puts poison between two good records. A sink that can tell them apart says
// so in a PartialError; one that cannot must not have delivered any.
func checkPartial(tb testing.TB, h *Harness) {
	if h.Poison == nil {
		tb.Skip("the harness has no poison")
	}
	s := open(tb, h)
	if s.Limits().Count < 3 {
		tb.Skip("the sink takes no batch of three")
	}
	good := deliveries(h.Target, 2)
	err := s.Deliver(tb.Context(), []sink.Delivery{good[0], delivery(h.Target, h.Poison), good[1]})
	partial, ok := errors.AsType[*sink.PartialError](err)
	if !ok {
		if !permanent(err) {
			tb.Errorf("Deliver of a batch with poison = %v, want a permanent failure", err)
		}
		wantReceived(tb, h, good, 0)
		return
	}
	if len(partial.Failed) != 1 || !permanent(partial.Failed[1]) {
		tb.Errorf("Deliver of a batch with poison: failed %v, want a permanent failure of index 1 alone", partial.Failed)
	}
	wantReceived(tb, h, good, 1)
}

func checkCancelled(tb testing.TB, h *Harness) {
	if h.Hang == nil {
		tb.Skip("the harness cannot let the far end hang")
	}
	s := open(tb, h)
	reached, release := h.Hang(tb)
	defer release()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Deliver(ctx, deliveries(h.Target, 1)) }()
	if _, ok := within(h, reached); !ok {
		tb.Fatal("the delivery does not reach the far end")
	}
	cancel()
	err, ok := within(h, done)
	if !ok {
		tb.Fatal("Deliver does not return when its context is cancelled")
	}
	if err == nil || permanent(err) {
		tb.Errorf("cancelled Deliver = %v, want a failure that may pass", err)
	}
}

func checkCancelledBefore(tb testing.TB, h *Harness) {
	s := open(tb, h)
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	batch := deliveries(h.Target, 1)
	if err := s.Deliver(ctx, batch); permanent(err) {
		tb.Errorf("Deliver with a cancelled context = %v, want nothing permanent", err)
	} else if err == nil {
		wantReceived(tb, h, batch, 1)
	}
}

func checkCloseTwice(tb testing.TB, h *Harness) {
	one, two := open(tb, h), open(tb, h)
	batch := deliveries(h.Target, 1)
	if err := one.Deliver(tb.Context(), batch); err != nil {
		tb.Fatalf("Deliver = %v", err)
	}
	for range 2 {
		if err := one.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	}
	more := deliveries(h.Target, 1)
	if err := two.Deliver(tb.Context(), more); err != nil {
		tb.Fatalf("Deliver on another sink of the target = %v", err)
	}
	wantReceived(tb, h, append(batch, more...), 1)
}

func permanent(err error) bool { return errors.Is(err, sink.ErrPermanent) }

func contains(all [][]byte, record []byte) bool {
	for _, r := range all {
		if bytes.Equal(r, record) {
			return true
		}
	}
	return false
}
