package natsstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/fault"
)

// A server that does not answer cannot be mended within the process: Run says so, in time,
// and whoever waits for the store is told.
func TestAStuckServerEndsTheStore(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	stuck := make(chan struct{})
	tune := defaultTuning()
	tune.guard, tune.stuck = 10*time.Millisecond, 100*time.Millisecond
	tune.usage = func(*session) int64 {
		select {
		case <-stuck:
			<-release
		default:
		}
		return 0
	}
	s, err := open(t.Context(), Options{Dir: t.TempDir(), Log: testLog(t)}, tune)
	if err != nil {
		t.Fatal(err)
	}
	defer close(release)
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	if err := s.Events().Publish(within(t), eventOf(message(1), event.VoiceInitiated)); err != nil {
		t.Fatalf("Publish = %v", err)
	}
	close(stuck)
	select {
	case err := <-done:
		if !errors.Is(err, errStuck) {
			t.Errorf("Run = %v, want %v", err, errStuck)
		}
	case <-within(t).Done():
		t.Fatal("Run goes on though the server is stuck")
	}
	if err := s.Events().Publish(within(t), eventOf(message(1), event.VoiceRinging)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Publish afterwards = %v, want a fault that says that the store is not available", err)
	}
}

func TestInTime(t *testing.T) {
	t.Parallel()
	if got, ok := inTime(patience, func() int { return 7 }); got != 7 || !ok {
		t.Errorf("inTime = %d, %v, want 7 and true", got, ok)
	}
	release := make(chan struct{})
	defer close(release)
	if _, ok := inTime(time.Millisecond, func() int { <-release; return 7 }); ok {
		t.Error("inTime of what does not return = true")
	}
}
