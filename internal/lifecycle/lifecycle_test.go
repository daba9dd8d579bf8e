package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/lifecycle"
)

// recorder notes in which order services stop.
type recorder struct {
	mu    sync.Mutex
	names []string
}

func (r *recorder) service(name string, takes time.Duration) lifecycle.Service {
	return lifecycle.Service{Name: name, Grace: time.Minute, Run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(takes)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.names = append(r.names, name)
		return ctx.Err()
	}}
}

func TestRunStopsInReverseOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var rec recorder
		time.AfterFunc(time.Second, cancel)
		err := lifecycle.Run(ctx, rec.service("store", 0), rec.service("calls", time.Second), rec.service("http", 30*time.Second))
		if err != nil {
			t.Errorf("Run = %v, want nil after a planned stop", err)
		}
		if got := strings.Join(rec.names, " "); got != "http calls store" {
			t.Errorf("stopped in the order %q", got)
		}
	})
}

func TestRunStopsAllWhenOneFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		broken := errors.New("disk on fire")
		err := lifecycle.Run(t.Context(), rec.service("store", 0), lifecycle.Service{Name: "http", Run: func(context.Context) error {
			time.Sleep(time.Second)
			return broken
		}})
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "http") {
			t.Errorf("Run = %v, want the failure with the service's name", err)
		}
		if len(rec.names) != 1 {
			t.Errorf("the other service was not stopped: %v", rec.names)
		}
	})
}

func TestRunGivesUpOnServiceThatDoesNotStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var rec recorder
		release := make(chan struct{})
		stuck := lifecycle.Service{Name: "stuck", Grace: 5 * time.Second, Run: func(context.Context) error { <-release; return nil }}
		err := lifecycle.Run(ctx, rec.service("store", 0), stuck)
		if err == nil || !strings.Contains(err.Error(), "stuck") {
			t.Errorf("Run = %v, want it to name the stuck service", err)
		}
		if len(rec.names) != 1 {
			t.Error("the service below the stuck one was not stopped")
		}
		close(release)
	})
}

func TestRunReportsServiceThatReturnsUnasked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		err := lifecycle.Run(t.Context(), lifecycle.Service{Name: "quitter", Run: func(context.Context) error { return nil }})
		if err == nil || !strings.Contains(err.Error(), "quitter") {
			t.Errorf("Run = %v, want it to name the quitter", err)
		}
	})
}
