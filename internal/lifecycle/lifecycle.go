// Package lifecycle starts services in order and stops them in reverse.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Service is something that runs until it is told to stop.
type Service struct {
	Name  string
	Grace time.Duration // how long it may take to stop before it is given up; 0 = 10 s
	// Run works until ctx is done and returns when it has finished. Returning earlier,
	// with or without an error, stops all other services.
	Run func(ctx context.Context) error
}

const defaultGrace = 10 * time.Second

// errStopped is the cause of the context of a service that is stopped by plan.
var errStopped = errors.New("stopped")

type running struct {
	Service
	stop context.CancelCauseFunc
	done chan struct{}
	err  error
}

// Run starts services first to last and waits until ctx is done or one of them returns.
// Then it stops them last to first, each only after the one above it is done or out of
// grace. It returns all failures joined; a planned stop is none.
func Run(ctx context.Context, services ...Service) error {
	first := make(chan *running, len(services))
	var all []*running
	for _, s := range services {
		// Not derived from ctx: its end must reach the services in reverse order, not all at once.
		sctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
		r := &running{Service: s, stop: stop, done: make(chan struct{})}
		all = append(all, r)
		go func() {
			defer close(r.done)
			r.err = s.Run(sctx)
			first <- r
		}()
	}
	var failures []error
	select {
	case <-ctx.Done():
	case r := <-first:
		if r.err == nil {
			failures = append(failures, fmt.Errorf("%s: returned although nobody stopped it", r.Name))
		}
	}
	for _, r := range slices.Backward(all) {
		failures = append(failures, r.halt())
	}
	return errors.Join(failures...)
}

func (r *running) halt() error {
	r.stop(errStopped)
	grace := r.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
		return fmt.Errorf("%s: still running %v after it was told to stop", r.Name, grace)
	}
	if r.err != nil && !errors.Is(r.err, context.Canceled) && !errors.Is(r.err, errStopped) {
		return fmt.Errorf("%s: %w", r.Name, r.err)
	}
	return nil
}
