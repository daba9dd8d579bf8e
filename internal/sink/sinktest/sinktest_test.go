package sinktest_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/sink"
	"tidings/internal/sink/sinktest"
)

// fault is a way of being wrong, which exactly the named check must find.
type fault string

var faults = []fault{
	"Limits", "OpenIsQuiet", "Delivers", "FullBatch", "LargeRecord", "Repeats", "Concurrent",
	"TemporaryFailure", "PermanentFailure", "PoisonAmongOthers", "Cancelled", "CancelledBefore", "CloseTwice",
}

// far is a driver, its only sink and its far end in one, with at most one fault.
type far struct {
	fault    fault
	mu       sync.Mutex
	records  [][]byte
	seen     map[string]bool
	contacts int
	broken   bool
	hung     chan struct{} // not nil = hangs until closed
	reached  chan struct{}
	closed   int
}

var poison = []byte("poison")

func (f *far) Check(sink.Target) error { return nil }

func (f *far) Open(sink.Target) (sink.Sink, error) {
	if f.fault == "OpenIsQuiet" {
		f.contacts++
	}
	return &near{far: f}, nil
}

type near struct {
	far    *far
	closed bool
}

func (n *near) Limits() sink.Limits {
	if n.far.fault == "Limits" {
		return sink.Limits{Count: 100}
	}
	return sink.Limits{Count: 100, Bytes: 10_000}
}

func (n *near) Deliver(ctx context.Context, batch []sink.Delivery) error {
	f := n.far
	f.mu.Lock()
	hung := f.hung
	f.mu.Unlock()
	if hung != nil {
		close(f.reached)
	}
	if hung != nil && f.fault == "Cancelled" {
		<-hung
	}
	if err := ctx.Err(); err != nil && f.fault == "CancelledBefore" {
		return sink.Permanent(err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-closedIfNil(hung):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.take(batch)
}

func (f *far) take(batch []sink.Delivery) error {
	f.contacts++
	if f.broken {
		if f.fault == "TemporaryFailure" {
			return sink.Permanent(errors.New("broken"))
		}
		return errors.New("broken")
	}
	if f.closed > 0 && f.fault == "CloseTwice" {
		return errors.New("closed")
	}
	if f.fault == "FullBatch" && len(batch) > 50 {
		batch = batch[:50]
	}
	failed := map[int]error{}
	for i, d := range batch {
		switch {
		case bytes.Equal(d.Event.Record, poison):
			failed[i] = sink.Permanent(errors.New("poison"))
			if f.fault == "PermanentFailure" && len(batch) == 1 {
				failed[i] = errors.New("poison")
			}
			if f.fault == "PoisonAmongOthers" && len(batch) > 1 {
				failed[i+1] = errors.New("not mine")
			}
		case len(d.Event.Record) > 10_000 && f.fault == "LargeRecord":
			failed[i] = errors.New("too large")
		case f.seen[d.ID] && f.fault == "Repeats":
			failed[i] = errors.New("conflict")
		default:
			f.keep(d)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	if len(batch) == 1 {
		return failed[0]
	}
	return &sink.PartialError{Failed: failed}
}

func (f *far) keep(d sink.Delivery) {
	f.seen[d.ID] = true
	record := slices.Clone(d.Event.Record)
	if f.fault == "Delivers" {
		record = bytes.TrimSuffix(record, []byte("}"))
	}
	f.records = append(f.records, record)
	if f.fault == "Concurrent" && len(f.records) == 500 {
		f.records = append(f.records, record)
	}
}

func (n *near) Close() error {
	n.far.mu.Lock()
	defer n.far.mu.Unlock()
	if !n.closed {
		n.far.closed++
	}
	n.closed = true
	return nil
}

func closedIfNil(c chan struct{}) chan struct{} {
	if c != nil {
		return c
	}
	c = make(chan struct{})
	close(c)
	return c
}

func harness(f fault) func(tb testing.TB) *sinktest.Harness {
	return func(testing.TB) *sinktest.Harness {
		far := &far{fault: f, seen: map[string]bool{}}
		a := arn.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "123456789012", Resource: "alerts"}
		return &sinktest.Harness{
			Driver: far, Target: sink.Target{Kind: configset.SNS, ARN: a}, Poison: poison,
			Received: func(testing.TB) [][]byte {
				far.mu.Lock()
				defer far.mu.Unlock()
				return slices.Clone(far.records)
			},
			Contacts: func(testing.TB) int { return far.contacts },
			Break: func(testing.TB) func() {
				far.broken = true
				return func() { far.broken = false }
			},
			Patience: 100 * time.Millisecond,
			Hang: func(testing.TB) (<-chan struct{}, func()) {
				far.hung, far.reached = make(chan struct{}), make(chan struct{})
				return far.reached, func() { close(far.hung) }
			},
		}
	}
}

// recorder takes the failures of a check instead of the test.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failed   bool
	cleanups []func()
}

func (r *recorder) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Errorf(string, ...any) { r.fail() }
func (r *recorder) Error(...any)          { r.fail() }
func (r *recorder) Fatalf(string, ...any) { r.fail(); runtime.Goexit() }
func (r *recorder) Fatal(...any)          { r.fail(); runtime.Goexit() }
func (r *recorder) Cleanup(f func())      { r.cleanups = append(r.cleanups, f) }

// failed reports whether the check fails. The check has a goroutine of its own,
// as in package testing, so that Fatal can end it.
func failed(t *testing.T, c sinktest.Check, h *sinktest.Harness) bool {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(r, h)
	}()
	<-done
	for _, f := range r.cleanups {
		f()
	}
	return r.failed
}

func TestAGoodSinkPasses(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, harness(""))
}

func TestEachFaultIsFoundByItsCheck(t *testing.T) {
	t.Parallel()
	var names []fault
	for _, c := range sinktest.Checks() {
		names = append(names, fault(c.Name))
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if !failed(t, c, harness(fault(c.Name))(t)) {
				t.Errorf("%s passes a sink that breaks it", c.Name)
			}
		})
	}
	if !slices.Equal(names, faults) {
		t.Errorf("checks %v, want a fault for each: %v", names, faults)
	}
}
