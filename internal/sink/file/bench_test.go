package file

import (
	"fmt"
	"strings"
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

// BenchmarkPack compresses an hour of records. Half of the time is rest.
func BenchmarkPack(b *testing.B) {
	var lines strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&lines, `{"messageId":"%032x","destination":"+12065550%03d","eventType":"COMPLETED_CALL","duration":%d,"timestamp":%d}`+"\n",
			i*2_654_435_761, i%1000, i%97, 1_790_000_000_000+i*7)
	}
	r := newRigWith(b, b.TempDir(), Settings{Gzip: true})
	b.SetBytes(int64(lines.Len()))
	for b.Loop() {
		b.StopTimer()
		r.driver.disk.remove(ten + ".gz")
		put(b, r.dir, ten, lines.String())
		b.StartTimer()
		r.sweepAll(b)
	}
}

// BenchmarkStart looks for torn lines in what earlier processes wrote.
func BenchmarkStart(b *testing.B) {
	r := newRigWith(b, b.TempDir(), Settings{})
	const files = 24 * 28 * 10
	for i := range files {
		put(b, r.dir, fmt.Sprintf("sns/us-east-1/123456789012/topic-%d/2026/10/%02d/%02d.ndjson", i/24/28, 1+i/24%28, i%24), "{}\n")
	}
	for b.Loop() {
		r.sweepAll(b)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*files), "µs/file")
}
