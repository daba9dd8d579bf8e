package natsstore

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings/internal/event"
	"tidings/internal/voice"
)

// benchPayload makes records of half a kilobyte, as an event of a call is.
const benchPayload = 512

func benchMessage(i int) voice.Message {
	m := message(i)
	m.Content.Text = strings.Repeat("a", benchPayload-200)
	return m
}

func benchEvent(i int) event.Event {
	e := eventOf(message(i), event.VoiceInitiated)
	e.Record = []byte(strings.Repeat("a", benchPayload))
	return e
}

// producers runs do from p goroutines, each waiting for its own acknowledgement.
func producers(b *testing.B, p int, do func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range p {
		all.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				if err := do(i); err != nil {
					b.Errorf("write %d = %v, want nil", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkPut(b *testing.B) {
	for _, p := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("p=%d", p), func(b *testing.B) {
			s := openStore(b, Options{MaxBytes: 64 << 30})
			producers(b, p, func(i int) error { return s.Messages().Put(context.Background(), benchMessage(i)) })
			b.ReportMetric(float64(stateOf(b, s, streamMessages).LastSeq)/float64(b.N), "syncs/op")
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, p := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("p=%d", p), func(b *testing.B) {
			s := openStore(b, Options{MaxBytes: 64 << 30})
			producers(b, p, func(i int) error { return s.Events().Publish(context.Background(), benchEvent(i)) })
			b.ReportMetric(float64(stateOf(b, s, streamEvents).LastSeq)/float64(b.N), "syncs/op")
		})
	}
}

// filled returns a store with b.N events in packs of 256.
func filled(b *testing.B) *Store {
	b.Helper()
	s := openStore(b, Options{MaxBytes: 64 << 30})
	for left := b.N; left > 0; left -= 256 {
		events := make([]event.Event, min(left, 256))
		for i := range events {
			events[i] = benchEvent(i)
		}
		publish(b, s, events...)
	}
	return s
}

// BenchmarkNext takes and acknowledges packs, as the router does.
func BenchmarkNext(b *testing.B) {
	s := filled(b)
	b.ResetTimer()
	for n := 0; n < b.N; {
		p := nextPack(b, s)
		n += len(p.Events)
		p.Ack()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRead reads the log, as "events tail" does.
func BenchmarkRead(b *testing.B) {
	s := filled(b)
	b.ResetTimer()
	n := 0
	err := s.Events().Read(context.Background(), Position{}, false, func(_ uint64, _ time.Time, events []event.Event) error {
		n += len(events)
		return nil
	})
	if err != nil || n != b.N {
		b.Fatalf("Read = %d events, %v, want %d", n, err, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkPublishAndNext publishes and takes at once.
func BenchmarkPublishAndNext(b *testing.B) {
	s := openStore(b, Options{MaxBytes: 64 << 30})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; n < b.N; {
			p, err := s.Events().Next(context.Background())
			if err != nil {
				b.Errorf("Next = %v, want a pack", err)
				return
			}
			n += len(p.Events)
			p.Ack()
		}
	}()
	producers(b, 256, func(i int) error { return s.Events().Publish(context.Background(), benchEvent(i)) })
	<-done
}

func BenchmarkOpen(b *testing.B) {
	for _, kind := range []string{"fresh", "again"} {
		b.Run(kind, func(b *testing.B) {
			dir := b.TempDir()
			closeStore(b, openStore(b, Options{Dir: dir}))
			for b.Loop() {
				if kind == "fresh" {
					b.StopTimer()
					dir = b.TempDir()
					b.StartTimer()
				}
				s, err := Open(context.Background(), Options{Dir: dir})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				closeStore(b, s)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkSets creates 10,000 sets, which is what one tenant may have, and lists them.
func BenchmarkSets(b *testing.B) {
	const n = 10_000
	s := openStore(b, Options{})
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("set-%d", i*7919%n)
	}
	began := time.Now()
	var all sync.WaitGroup
	for lane := range 8 {
		all.Go(func() {
			for i := lane; i < n; i += 8 {
				if err := s.ConfigurationSets().Create(context.Background(), setKeyOf(names[i]), setOf(names[i])); err != nil {
					b.Errorf("Create = %v, want nil", err)
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(n/time.Since(began).Seconds(), "creates/s")
	for b.Loop() {
		after, more := "", true
		for more {
			var page []string
			page, more = s.ConfigurationSets().List(acme, "voice", after, 100)
			after = page[len(page)-1]
		}
	}
}

// BenchmarkIdle reports what an idle store has in memory and on the scheduler.
func BenchmarkIdle(b *testing.B) {
	before := runtime.NumGoroutine()
	s := openStore(b, Options{})
	for b.Loop() {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapInuse)/(1<<20), "heap-MiB")
	b.ReportMetric(float64(m.Sys)/(1<<20), "sys-MiB")
	b.ReportMetric(float64(runtime.NumGoroutine()-before), "goroutines")
	closeStore(b, s)
}
