package mailstore

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tidings/internal/email"
)

// mailSize is the content of an ordinary mail.
const mailSize = 1500

func benchStore(b *testing.B) *Store {
	b.Helper()
	return open(b, Options{})
}

// callers calls do b.N times, by so many at a time.
func callers(b *testing.B, n int, do func() error) {
	b.Helper()
	var all sync.WaitGroup
	work := make(chan struct{}, n)
	for range n {
		all.Go(func() {
			for range work {
				if err := do(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
}

func fresh() email.Letter {
	now := time.Now()
	l := newLetter(newID(now), mailSize)
	l.Message.Accepted = now
	return l
}

func BenchmarkPut(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s := benchStore(b)
			callers(b, n, func() error { return s.Put(context.Background(), fresh()) })
		})
	}
}

// BenchmarkLife has each mail put, handed out, its outcome saved, and done.
func BenchmarkLife(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) { life(b, n, "set") })
	}
	b.Run("callers=256/no set", func(b *testing.B) { life(b, 256, "") })
}

func life(b *testing.B, n int, set string) {
	b.Helper()
	s := benchStore(b)
	ctx, cancel := context.WithCancel(context.Background())
	var runners sync.WaitGroup
	left := make(chan struct{}, 1<<20)
	for range n {
		runners.Go(func() {
			for {
				j, err := s.Next(ctx)
				if err != nil {
					return
				}
				if _, err := j.Content(ctx); err != nil {
					b.Error(err)
				}
				if err := j.Save(ctx, delivered()); err != nil {
					b.Error(err)
				}
				j.Done()
				left <- struct{}{}
			}
		})
	}
	callers(b, n, func() error {
		l := fresh()
		l.Message.Set = set
		return s.Put(context.Background(), l)
	})
	for range b.N {
		<-left
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	cancel()
	runners.Wait()
}

// BenchmarkSuppressed asks for one of a million addresses that is not on the list.
func BenchmarkSuppressed(b *testing.B) {
	s := benchStore(b)
	suppressMany(b, s, 1_000_000)
	i := 0
	for b.Loop() {
		i++
		if _, ok, err := s.Suppressed(context.Background(), acme, fmt.Sprintf("user%d@example.net", i)); ok || err != nil {
			b.Fatalf("Suppressed = %v, %v, want it not to be", ok, err)
		}
	}
}

func suppressMany(b *testing.B, s *Store, n int) {
	b.Helper()
	const together = 4000
	for from := 0; from < n; from += together {
		err := s.commit(context.Background(), &change{edit: func(x *batch, _ *change) error {
			for i := from; i < min(from+together, n); i++ {
				key := ownerKey(acme, fmt.Sprintf("user%d@example.com", i))
				value, err := marshal("", &suppressedRecord{Version: recordVersion, Reason: "BOUNCE"})
				if err != nil {
					return err
				}
				if err := x.put(bucketSuppressed, key, value); err != nil {
					return err
				}
			}
			return nil
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a store with mails that wait.
func BenchmarkOpen(b *testing.B) {
	const mails = 100_000
	s := benchStore(b)
	for range mails / 1000 {
		all := make([]email.Letter, 1000)
		for i := range all {
			all[i] = fresh()
		}
		put(b, s, all...)
	}
	path := s.opts.Path
	shut(b, s)
	b.ResetTimer()
	for b.Loop() {
		s, err := Open(Options{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if n := s.spool.countMessages(); n != mails {
			b.Fatalf("%v mails wait, want %d", n, mails)
		}
		shut(b, s)
		b.StartTimer()
	}
}
