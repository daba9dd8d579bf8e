package crew_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/crew"
)

// endless hands out jobs until its context ends.
func endless(job func(crew.Hours)) func(context.Context) (func(crew.Hours), bool) {
	return func(ctx context.Context) (func(crew.Hours), bool) { return job, ctx.Err() == nil }
}

func TestAsManyAsThereArePlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var now, most, done atomic.Int64
		work := endless(func(crew.Hours) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			done.Add(1)
		})
		ended := make(chan error, 1)
		go func() { ended <- crew.Crew{Size: 3, Drain: time.Minute}.Run(ctx, work) }()
		time.Sleep(10*time.Second + time.Millisecond)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want the context's error", err)
		}
		if most.Load() != 3 || done.Load() != 33 {
			t.Errorf("%d jobs at once, %d in all, want 3 and 33: those in progress at the stop go on", most.Load(), done.Load())
		}
	})
}

// TestHoursEndInOrder stops a job that never ends of its own accord.
func TestHoursEndInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		var taking, working, writing time.Duration
		work := func(h crew.Hours) {
			<-h.Taking.Done()
			taking = time.Since(began)
			<-h.Working.Done()
			working = time.Since(began)
			<-h.Writing.Done()
			writing = time.Since(began)
		}
		first := true
		ended := make(chan error, 1)
		go func() {
			ended <- crew.Crew{Size: 2, Drain: time.Minute, LastWords: time.Second}.Run(ctx, func(ctx context.Context) (func(crew.Hours), bool) {
				if first {
					first = false
					return work, true
				}
				<-ctx.Done()
				return nil, false
			})
		}()
		time.Sleep(time.Hour)
		stop()
		<-ended
		if taking != time.Hour || working != time.Hour+time.Minute || writing != time.Hour+time.Minute+time.Second {
			t.Errorf("hours end after %v, %v and %v", taking, working, writing)
		}
	})
}

func TestTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		tries, told := 0, 0
		began := time.Now()
		err := crew.Try(t.Context(), func() error {
			if tries++; tries < 20 {
				return broken
			}
			return nil
		}, func(error) { told++ })
		if err != nil || tries != 20 || told != 19 {
			t.Errorf("Try = %v after %d tries, %d told of", err, tries, told)
		}
		// 50 ms doubled up to 5 s is 6.35 s for the first 7, then 12 times 5 s; chance takes off up to half.
		if took := time.Since(began); took < 33*time.Second || took > 67*time.Second {
			t.Errorf("20 tries take %v", took)
		}

		ctx, stop := context.WithCancel(t.Context())
		tries, told = 0, 0
		time.AfterFunc(10*time.Second, stop)
		err = crew.Try(ctx, func() error { tries++; return broken }, func(error) { told++ })
		if !errors.Is(err, broken) || tries < 5 || told != tries {
			t.Errorf("Try = %v after %d tries, %d told of, want the last error", err, tries, told)
		}
		tries, told = 0, 0
		if err := crew.Try(ctx, func() error { tries++; return broken }, func(error) { told++ }); !errors.Is(err, broken) || tries != 1 || told != 0 {
			t.Errorf("Try at the end = %v after %d tries, %d told of, want one try", err, tries, told)
		}
	})
}

func TestSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s crew.Seldom
		due := 0
		for range 100 {
			if s.Due(10 * time.Second) {
				due++
			}
			time.Sleep(time.Second)
		}
		if due != 10 {
			t.Errorf("due %d times in 100 s, want 10", due)
		}
	})
}
