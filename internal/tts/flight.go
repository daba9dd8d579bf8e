package tts

import (
	"context"
	"errors"
	"sync"
)

// flights lets one caller do a piece of work that others need as well; they wait for it.
// The work runs in the goroutine of the first caller, so nothing runs on when all callers
// have gone. The zero value is ready to use.
type flights struct {
	mu    sync.Mutex
	byKey map[key]*flight
}

type flight struct {
	done chan struct{}
	err  error
}

// do runs work, or waits for another caller that runs it under the same key. When that
// caller gave up because its own ctx ended, one of those who wait takes over.
func (f *flights) do(ctx context.Context, k key, work func() error) error {
	for {
		f.mu.Lock()
		running, ok := f.byKey[k]
		if !ok {
			break
		}
		f.mu.Unlock()
		select {
		case <-running.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !abandoned(running.err) {
			return running.err
		}
	}
	mine := &flight{done: make(chan struct{}), err: context.Canceled} // the error stays if work panics
	if f.byKey == nil {
		f.byKey = make(map[key]*flight)
	}
	f.byKey[k] = mine
	f.mu.Unlock()

	defer func() {
		f.mu.Lock()
		delete(f.byKey, k)
		f.mu.Unlock()
		close(mine.done)
	}()
	mine.err = work()
	if abandoned(mine.err) && ctx.Err() == nil {
		// A deadline of the work itself, which would catch the next one too.
		mine.err = finalError{mine.err}
	}
	return mine.err
}

// abandoned reports whether work ended because its caller did.
func abandoned(err error) bool {
	if _, final := errors.AsType[finalError](err); final {
		return false
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// finalError marks an error that holds for everybody who waits.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }
