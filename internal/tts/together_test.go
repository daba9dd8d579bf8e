package tts_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/tts"
	"tidings/internal/voice"
)

// waiting is an engine that speaks when it is let go.
func waiting() (e *fakeEngine, letGo chan struct{}) {
	letGo = make(chan struct{})
	e = &fakeEngine{before: func(ctx context.Context, _ tts.Phrase) error {
		select {
		case <-letGo:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	return e, letGo
}

func TestTogetherATextIsSpokenOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e, letGo := waiting()
		s := open(t, tts.Options{Engine: e, Dir: dir})
		var callers sync.WaitGroup
		got := make([]voice.Speech, 10)
		for i := range got {
			callers.Go(func() { got[i] = synthesize(t, s, plain("Hello"), 0) })
		}
		synctest.Wait()
		close(letGo)
		callers.Wait()
		for _, speech := range got {
			if speech != got[0] || speech.File == "" {
				t.Errorf("one caller got %+v, another %+v", got[0], speech)
			}
		}
		if n := len(e.spoken()); n != 1 {
			t.Errorf("the engine was asked %d times, want once", n)
		}
	})
}

func TestTogetherOthersGoOnWhenTheFirstGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, letGo := waiting()
		s := open(t, tts.Options{Engine: e})
		ctx, giveUp := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		var first error
		callers.Go(func() { _, first = s.Synthesize(ctx, plain("Hello"), 0) })
		synctest.Wait()
		for range 5 {
			callers.Go(func() { synthesize(t, s, plain("Hello"), 0) })
		}
		synctest.Wait()
		giveUp()
		synctest.Wait()
		if n := len(e.spoken()); n != 2 {
			t.Errorf("the engine was asked %d times, want 2: another caller takes over", n)
		}
		close(letGo)
		callers.Wait()
		if !errors.Is(first, context.Canceled) {
			t.Errorf("the first caller got %v, want context.Canceled", first)
		}
	})
}

func TestTogetherACallerCanGiveUpWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, letGo := waiting()
		s := open(t, tts.Options{Engine: e})
		var callers sync.WaitGroup
		callers.Go(func() { synthesize(t, s, plain("Hello"), 0) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Synthesize(ctx, plain("Hello"), 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Synthesize = %v, want context.DeadlineExceeded while another still speaks", err)
		}
		close(letGo)
		callers.Wait()
	})
}

// An engine that is too slow for a text will be too slow for the next caller as well.
func TestTogetherAllShareAFailure(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{errors.New("crashed"), context.DeadlineExceeded} {
		t.Run(failure.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				letGo := make(chan struct{})
				e := &fakeEngine{before: func(context.Context, tts.Phrase) error {
					<-letGo
					return failure
				}}
				s := open(t, tts.Options{Engine: e})
				var callers sync.WaitGroup
				for range 5 {
					callers.Go(func() {
						if _, err := s.Synthesize(t.Context(), plain("Hello"), 0); !errors.Is(err, failure) {
							t.Errorf("Synthesize = %v, want %v", err, failure)
						}
					})
				}
				synctest.Wait()
				close(letGo)
				callers.Wait()
				if n := len(e.spoken()); n != 1 {
					t.Errorf("the engine was asked %d times, want once", n)
				}
			})
		})
	}
}

func TestTogetherNoMoreTextsThanSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, letGo := waiting()
		s := open(t, tts.Options{Engine: e, Concurrency: 2})
		var callers sync.WaitGroup
		for i := range 5 {
			callers.Go(func() { synthesize(t, s, plain(fmt.Sprint("Hello", i)), 0) })
		}
		synctest.Wait()
		if n := len(e.spoken()); n != 2 {
			t.Errorf("%d texts are spoken at once, want 2", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Synthesize(ctx, plain("Me too"), 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Synthesize without a free slot = %v, want context.DeadlineExceeded", err)
		}
		close(letGo)
		callers.Wait()
		if n := len(e.spoken()); n != 5 {
			t.Errorf("%d texts were spoken in the end, want 5", n)
		}
	})
}

// TestTogetherUnderLoad is for the race detector.
func TestTogetherUnderLoad(t *testing.T) {
	t.Parallel()
	s := open(t, tts.Options{Engine: &fakeEngine{}, Dir: t.TempDir(), CacheBytes: 1})
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for j := range 40 {
				limit := time.Duration(1+(i+j)%3) * 300 * time.Millisecond
				speech := synthesize(t, s, plain(fmt.Sprint("Hello", j%7)), limit)
				if want := min(limit, 600*time.Millisecond); speech.Duration != want {
					t.Errorf("Synthesize with a limit of %v lasts %v, want %v", limit, speech.Duration, want)
				}
				load(t, speech)
			}
		})
	}
	callers.Wait()
}
