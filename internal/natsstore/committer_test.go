package natsstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"tidings/internal/fault"
)

// TestCommitterPacksWhatWaits holds the first pack back until more records wait.
func TestCommitterPacksWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type stored struct {
			Body  string
			Count int
		}
		var got []stored
		gate := make(chan error)
		c := newCommitter(func(_ context.Context, body []byte, count int) (uint64, error) {
			got = append(got, stored{string(body), count})
			return uint64(len(got)), <-gate
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			c.run(ctx)
			close(ended)
		}()
		results := make(chan error, 16)
		send := func(ctx context.Context, body string, count int) {
			go func() { results <- c.commit(ctx, []byte(body), count) }()
			synctest.Wait()
		}
		send(t.Context(), "a", 1) // goes at once
		impatient, giveUp := context.WithCancel(t.Context())
		send(impatient, "b", 1)
		send(t.Context(), "c", 2)
		send(t.Context(), "d", maxPackRecords) // does not fit
		send(t.Context(), "e", 1)
		giveUp()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("commit whose context has ended = %v, want Canceled", err)
		}
		gate <- nil
		if err := <-results; err != nil {
			t.Errorf("commit = %v, want nil", err)
		}
		refused := errors.New("refused")
		gate <- refused
		if err := <-results; !errors.Is(err, refused) {
			t.Errorf("commit = %v, want the error of its pack", err)
		}
		gate <- nil
		if err := <-results; err != nil {
			t.Errorf("commit = %v, want nil", err)
		}
		synctest.Wait()
		send(t.Context(), "f", 1)
		cancel() // "e" is on its way, "f" waits
		gate <- nil
		<-ended
		var failed int
		for range 2 {
			if err := <-results; fault.Is(err, fault.Unavailable) {
				failed++
			} else if err != nil {
				t.Errorf("commit = %v, want nil or Unavailable", err)
			}
		}
		if failed != 1 {
			t.Errorf("%d commits failed at the end, want only the one that waited", failed)
		}
		if err := c.commit(t.Context(), []byte("g"), 1); !fault.Is(err, fault.Unavailable) {
			t.Errorf("commit after the end = %v, want Unavailable", err)
		}
		diff(t, "packs", got, []stored{{"a", 1}, {"bc", 3}, {"d", maxPackRecords}, {"e", 1}})
	})
}

func TestCommitterIsBounded(t *testing.T) {
	t.Parallel()
	c := newCommitter(nil) // nobody runs it
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range maxQueuedPacks {
		if err := c.commit(ctx, make([]byte, maxPackBytes), 1); !errors.Is(err, context.Canceled) {
			t.Fatalf("commit = %v, want Canceled", err)
		}
	}
	if err := c.commit(ctx, make([]byte, maxPackBytes), 1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("commit behind %d packs = %v, want Unavailable", maxQueuedPacks, err)
	}
}
