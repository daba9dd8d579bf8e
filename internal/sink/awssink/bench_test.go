package awssink

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// newQuickDouble starts a far end that only counts: it has the answer ready, so that the
// sink is measured and not the double. It returns its URL.
func newQuickDouble(b testing.TB) string {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.Header.Get("X-Amz-Target") == "Logs_20140328.PutLogEvents" {
			_, _ = io.WriteString(w, `{"nextSequenceToken":"1"}`)
			return
		}
		text := string(body)
		if n := strings.Count(text, `"PartitionKey":`); n > 0 {
			_, _ = io.WriteString(w, `{"FailedRecordCount":0,"Records":[`+strings.Repeat(`{"SequenceNumber":"1","ShardId":"s"},`, n-1)+`{"SequenceNumber":"1","ShardId":"s"}]}`)
			return
		}
		if n := strings.Count(text, `"Data":`); n > 0 {
			_, _ = io.WriteString(w, `{"FailedPutCount":0,"RequestResponses":[`+strings.Repeat(`{"RecordId":"r"},`, n-1)+`{"RecordId":"r"}]}`)
			return
		}
		n := 0
		for i := range 10 {
			if strings.Contains(text, fmt.Sprintf("member.%d.Message=", i+1)) {
				n++
			}
		}
		if n == 0 {
			_, _ = io.WriteString(w, `<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>`)
			return
		}
		var all strings.Builder
		for i := range n {
			all.WriteString(ok(fmt.Sprint(i)))
		}
		writeBatchResult(w, all.String(), "")
	}))
	b.Cleanup(server.Close)
	return server.URL
}

func BenchmarkDeliver(b *testing.B) {
	record := fmt.Sprintf(`{"text":"%0400d"}`, 1)
	for _, service := range []string{"sns", "firehose", "kinesis", "logs"} {
		for _, full := range []bool{false, true} {
			name := service + "/one"
			if full {
				name = service + "/full"
			}
			b.Run(name, func(b *testing.B) {
				d := newQuickDouble(b)
				driver := newDriver(b, Settings{Endpoint: d, AccessKeyID: ownKey, SecretAccessKey: ownSecret})
				s := openSink(b, driver, targets()[service])
				records := []string{record}
				if l := s.Limits(); full {
					records = make([]string, min(l.Count, l.Bytes/len(record)))
					for i := range records {
						records[i] = record
					}
				}
				batch := batchOf(records...)
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Deliver(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// BenchmarkKinesis measures batches of an app's events, so many requests at once. Both ends
// share the processors.
func BenchmarkKinesis(b *testing.B) {
	record := fmt.Sprintf(`{"event_type":"_session.start","text":"%0900d"}`, 1) // as long as they are
	url := newQuickDouble(b)
	for _, size := range []int{1, 100, 500} {
		for _, concurrency := range []int{1, 8} {
			b.Run(fmt.Sprintf("batch=%d/concurrency=%d", size, concurrency), func(b *testing.B) {
				driver := newDriver(b, Settings{Endpoint: url, AccessKeyID: ownKey, SecretAccessKey: ownSecret})
				s := openSink(b, driver, targets()["kinesis"])
				batch := batchOf(slices.Repeat([]string{record}, size)...)
				b.ReportAllocs()
				work(b, concurrency, func() error { return s.Deliver(b.Context(), batch) })
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
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

func BenchmarkOpen(b *testing.B) {
	driver := newDriver(b, Settings{AssumeRole: true})
	for service, target := range targets() {
		b.Run(service, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := driver.Open(target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
