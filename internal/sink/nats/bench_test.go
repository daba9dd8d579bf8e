package natssink

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// benchRecord is as long as the record of an app's event.
var benchRecord = `{"event_type":"_session.start","event_timestamp":1793887200123,"arrival_timestamp":1793887200456,"event_version":"3.1","attributes":{"text":"` +
	strings.Repeat("x", 800) + `"},"awsAccountId":"123456789012"}`

// BenchmarkDeliver counts deliveries to a server in this very process, which stores them in
// memory, on disk, or tells nobody: both sides share the processors.
func BenchmarkDeliver(b *testing.B) {
	for _, kind := range []string{"core", "memory", "disk"} {
		for _, size := range []int{1, 100, 500} {
			for _, concurrency := range []int{1, 8} {
				b.Run(fmt.Sprintf("%s/batch=%d/concurrency=%d", kind, size, concurrency), func(b *testing.B) {
					benchmark(b, kind, size, concurrency)
				})
			}
		}
	}
}

func benchmark(b *testing.B, kind string, size, concurrency int) {
	far := startServer(b, nil)
	storage := jetstream.MemoryStorage
	if kind == "disk" {
		storage = jetstream.FileStorage
	}
	if _, err := connect(b, far).CreateStream(b.Context(), jetstream.StreamConfig{
		Name: theStream, Subjects: []string{"events.>"}, Storage: storage, MaxMsgs: 10_000,
	}); err != nil {
		b.Fatal(err)
	}
	s := openSink(b, newDriver(b, Settings{URL: far.ClientURL(), Subject: map[bool]string{true: "core", false: "events.bench"}[kind == "core"], Core: kind == "core"}), "alerts")
	batch := batchOf(slices.Repeat([]string{benchRecord}, size)...)
	b.ReportAllocs()
	var n atomic.Int64
	work(b, concurrency, func() error {
		mine, round := slices.Clone(batch), n.Add(1)
		for i := range mine {
			mine[i].ID = fmt.Sprintf("%d/%d", round, i) // a stream drops what it knows
		}
		return s.Deliver(b.Context(), mine)
	})
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "deliveries/s")
}

// work does f b.N times, so many at once.
func work(b *testing.B, concurrency int, f func() error) {
	b.Helper()
	jobs := make(chan struct{})
	done := make(chan error, concurrency)
	for range concurrency {
		go func() {
			var failure error
			for range jobs {
				if err := f(); err != nil {
					failure = err
				}
			}
			done <- failure
		}()
	}
	for b.Loop() {
		jobs <- struct{}{}
	}
	close(jobs)
	for range concurrency {
		if err := <-done; err != nil {
			b.Errorf("Deliver = %v", err)
		}
	}
}
