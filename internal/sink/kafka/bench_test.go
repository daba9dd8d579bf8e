package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// benchRecord is as long as the record of an app's event.
var benchRecord = `{"event_type":"_session.start","event_timestamp":1793887200123,"arrival_timestamp":1793887200456,"event_version":"3.1","attributes":{"text":"` +
	strings.Repeat("x", 800) + `"},"awsAccountId":"123456789012"}`

// BenchmarkDeliver counts deliveries to a cluster in this very process that takes records
// and keeps none: both sides share the processors.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{1, 100, 500} {
		for _, concurrency := range []int{1, 8} {
			benchmark(b, fmt.Sprintf("batch=%d/concurrency=%d", size, concurrency), "none", size, concurrency)
		}
	}
	for _, codec := range Compressions[1:] {
		benchmark(b, "batch=500/concurrency=8/"+codec, codec, 500, 8)
	}
}

func benchmark(b *testing.B, name, compression string, size, concurrency int) {
	b.Run(name, func(b *testing.B) {
		c := newCluster(b, kfake.BlackholeProduce())
		settings := c.settings()
		settings.Compression = compression
		s := openSink(b, newDriver(b, settings), "alerts")
		batch := batchOf(slices.Repeat([]string{benchRecord}, size)...)
		if err := s.Deliver(b.Context(), batch); err != nil { // knows the topic from here on
			b.Fatalf("Deliver = %v", err)
		}
		b.ReportAllocs()
		work(b, concurrency, func() error { return s.Deliver(b.Context(), batch) })
		b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "deliveries/s")
	})
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
