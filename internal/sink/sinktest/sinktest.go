// Package sinktest is the contract that every sink passes. A sink's tests make a Harness
// around the sink and the far end that it delivers to, and call Run.
package sinktest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

// Harness is a sink under test and its far end. Driver, Target and Received must be set;
// a check that needs one of the others is skipped without it.
type Harness struct {
	Driver sink.Driver
	Target sink.Target
	// Received returns the records that the far end has for good, in the order of their
	// arrival and out of whatever envelope the sink put them into.
	Received func(tb testing.TB) [][]byte
	// Contacts counts how often anybody turned to the far end: connections, files touched.
	Contacts func(tb testing.TB) int
	// Break lets the far end refuse everything, in a way that passes, until mend is called.
	Break func(tb testing.TB) (mend func())
	// Hang lets the far end not answer at all until release is called. reached is closed
	// once a delivery waits for it.
	Hang func(tb testing.TB) (reached <-chan struct{}, release func())
	// Poison is a record that the far end, or the sink itself, will never take.
	Poison []byte
	// Patience is how long to wait for what must come promptly; 0 = 10 s. Only a sink that
	// fails the check needs it all.
	Patience time.Duration
}

// Check is one clause of the contract.
type Check struct {
	Name string
	Run  func(tb testing.TB, h *Harness)
}

// Run runs every check against a harness of its own.
func Run(t *testing.T, harness func(tb testing.TB) *Harness) {
	t.Helper()
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Run(t, harness(t))
		})
	}
}

// Checks returns the clauses of the contract.
func Checks() []Check {
	return []Check{
		{"Limits", checkLimits},
		{"OpenIsQuiet", checkOpenIsQuiet},
		{"Delivers", checkDelivers},
		{"FullBatch", checkFullBatch},
		{"LargeRecord", checkLargeRecord},
		{"Repeats", checkRepeats},
		{"Concurrent", checkConcurrent},
		{"TemporaryFailure", checkTemporary},
		{"PermanentFailure", checkPermanent},
		{"PoisonAmongOthers", checkPartial},
		{"Cancelled", checkCancelled},
		{"CancelledBefore", checkCancelledBefore},
		{"CloseTwice", checkCloseTwice},
	}
}

var serial atomic.Int64 // makes records and IDs unique over all checks

// deliveries makes n deliveries whose records differ and hold what JSON may hold.
func deliveries(t sink.Target, n int) []sink.Delivery {
	all := make([]sink.Delivery, n)
	for i := range all {
		all[i] = delivery(t, fmt.Appendf(nil, `{"n":%d,"text":"naïve \"quoted\" \u2028 \\n 日本","empty":{}}`, serial.Add(1)))
	}
	return all
}

func delivery(t sink.Target, record []byte) sink.Delivery {
	id := fmt.Sprintf("message-%d/answered", serial.Add(1))
	owner := t.Tenant
	if owner == (tenant.Tenant{}) {
		owner = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}
	}
	message, _, _ := strings.Cut(id, "/")
	return sink.Delivery{
		ID: id + "/destination",
		Event: event.Event{
			ID: id, Type: event.VoiceAnswered, Time: time.Now().UTC().Truncate(time.Millisecond),
			Tenant: owner, Set: "set", Message: message, Record: record,
		},
		Set: "set", Destination: "destination",
	}
}

// within reports whether c becomes ready while the harness has patience.
func within[T any](h *Harness, c <-chan T) (value T, ok bool) {
	patience := h.Patience
	if patience == 0 {
		patience = 10 * time.Second
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case value = <-c:
		return value, true
	case <-timer.C:
		return value, false
	}
}

// open opens the harness's target and closes it with the test.
func open(tb testing.TB, h *Harness) sink.Sink {
	tb.Helper()
	s, err := h.Driver.Open(h.Target)
	if err != nil {
		tb.Fatalf("Open(%v) = %v", h.Target.ARN, err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return s
}

// wantReceived checks that the far end has each record of the batch exactly times times,
// and returns all it has.
func wantReceived(tb testing.TB, h *Harness, batch []sink.Delivery, times int) [][]byte {
	tb.Helper()
	received := h.Received(tb)
	counts := make(map[string]int, len(received))
	for _, r := range received {
		counts[string(r)]++
	}
	for i := range batch {
		if got := counts[string(batch[i].Event.Record)]; got != times {
			tb.Errorf("the record of %s arrived %d times, want %d", batch[i].ID, got, times)
		}
	}
	return received
}
