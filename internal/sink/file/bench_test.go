package file

import (
	"fmt"
	"testing"
)

func BenchmarkDeliver(b *testing.B) {
	record := fmt.Sprintf(`{"text":"%0500d"}`, 1)
	for _, size := range []int{1, 100, 1_000, 5_000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			d, err := New(b.TempDir(), Settings{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			s, err := d.Open(topic("alerts"))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			records := make([]string, size)
			for i := range records {
				records[i] = record
			}
			batch := batchOf(records...)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Deliver(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
