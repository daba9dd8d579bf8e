// Package sink says what a way of delivering events is: a Driver that opens targets and a
// Sink that hands batches over. Each way has a folder below this one.
package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/tenant"
)

// Target is the place that events are delivered to. It is comparable: equal targets share
// one open Sink.
type Target struct {
	Tenant tenant.Tenant // whose events it receives
	Kind   configset.Kind
	ARN    arn.ARN
	Role   string // ARN of the role to publish with; "" = the server's own credentials

	dimensions string // of metrics, encoded, so that targets can be compared
}

// Delivery is one event on its way to one event destination.
type Delivery struct {
	// ID is stable: an attempt that is repeated, also after a crash, has the same one.
	ID          string
	Event       event.Event
	Set         string // the configuration set, for sinks whose envelope names it
	Destination string // the event destination's name
}

// Driver opens targets. It is safe for concurrent use. One that keeps connections or
// goroutines is an io.Closer as well; it is closed once nothing can be opened with it any
// more, and the sinks that are still open must work on.
type Driver interface {
	// Check reports whether Open can work, without touching the network or the disk.
	Check(t Target) error
	// Open makes a Sink for the target. It must not wait for the network.
	Open(t Target) (Sink, error)
}

// Sink delivers to one target. Deliver may be called concurrently.
type Sink interface {
	// Limits bounds the batches that Deliver takes.
	Limits() Limits
	// Deliver hands the batch over. It returns nil once the target has all of it for
	// good; a *PartialError if some of it failed; any other error if all of it failed. A
	// failure is worth trying again unless it wraps ErrPermanent. When ctx ends, Deliver
	// returns promptly; what it then reports as failed may have arrived.
	Deliver(ctx context.Context, batch []Delivery) error
	// Close releases what the sink holds. It may be called twice.
	Close() error
}

// Limits bounds one batch. Each is at least 1.
type Limits struct {
	Count int // deliveries
	Bytes int // of all records together; a single record above it travels alone
}

// ErrPermanent marks a failure that no later attempt can mend, such as a malformed record.
// A target that is missing or forbids access is not permanent: an operator can mend it.
var ErrPermanent = errors.New("permanent")

// Permanent marks err as a failure for good.
func Permanent(err error) error { return fmt.Errorf("%w: %w", ErrPermanent, err) }

// delayError is a failure with a wish of the far end.
type delayError struct {
	err   error
	after time.Duration
}

func (e *delayError) Error() string { return e.err.Error() }
func (e *delayError) Unwrap() error { return e.err }

// RetryAfter marks err as a failure that the far end wants to be left alone after for d,
// as HTTP's Retry-After does (RFC 9110 section 10.2.3).
func RetryAfter(err error, d time.Duration) error { return &delayError{err, d} }

// Delay returns how long the far end wants to be left alone; 0 = it did not say.
func Delay(err error) time.Duration {
	if e, ok := errors.AsType[*delayError](err); ok {
		return max(0, e.after)
	}
	return 0
}

// PartialError reports that some deliveries of a batch failed and the others arrived.
type PartialError struct {
	Failed map[int]error // by index into the batch; never empty
}

// Error prints how many failed and one of the reasons.
func (e *PartialError) Error() string {
	for _, err := range e.Failed {
		return fmt.Sprintf("%d of the batch failed, one with: %v", len(e.Failed), err)
	}
	return "none of the batch failed"
}
