package webhook

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tidings/internal/sink"
)

// benchRecord is as long as the record of a call.
var benchRecord = `{"eventType":"COMPLETED_CALL","eventVersion":"1.0","eventTimestamp":1793887200123,"isFinal":true,"originationPhoneNumber":"+12065550100","destinationPhoneNumber":"+12065550199","isoCountryCode":"US","messageId":"` +
	strings.Repeat("x", 26) + `","messageRequestTimestamp":1793887100000,"messageStatus":"COMPLETED","callDurationInSeconds":17,"totalDurationInMinutes":1,"totalMessagePrice":0.013}`

// BenchmarkDeliver counts deliveries to a server of this machine that reads the request and
// answers 200: both share the processors.
func BenchmarkDeliver(b *testing.B) {
	for _, tc := range []struct {
		concurrency, batch int
		tls                bool
	}{
		{1, 1, false},
		{8, 1, false},
		{32, 1, false},
		{32, 1, true},
		{1, 100, false},
		{8, 100, false},
	} {
		b.Run(fmt.Sprintf("concurrency=%d/batch=%d/tls=%t", tc.concurrency, tc.batch, tc.tls), func(b *testing.B) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(swallow))
			s := Settings{Secrets: []string{secretA}, Batch: tc.batch, AllowPrivate: true}
			if tc.tls {
				server.StartTLS()
				s.Roots = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			} else {
				server.Start()
			}
			b.Cleanup(server.Close)
			s.URL = server.URL
			benchmark(b, openSink(b, newDriver(b, s)), tc.concurrency, tc.batch)
		})
	}
}

// BenchmarkDeliverSNS counts notifications, each of which is signed with RSA.
func BenchmarkDeliverSNS(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(swallow))
	b.Cleanup(server.Close)
	d := newDriver(b, Settings{
		URL: server.URL, Format: FormatSNS, Topics: newTopics(b, &notebook{}), Unconfirmed: true, AllowPrivate: true,
	})
	benchmark(b, openSink(b, d), 8, 1)
}

// BenchmarkBareHTTP is what net/http alone does of the same.
func BenchmarkBareHTTP(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(swallow))
	b.Cleanup(server.Close)
	t := newTransport(Settings{}, nil)
	b.Cleanup(t.CloseIdleConnections)
	client := &http.Client{Transport: t}
	work(b, 32, func() error {
		r, err := client.Post(server.URL, "application/json", strings.NewReader(benchRecord))
		if err != nil {
			return err
		}
		return r.Body.Close()
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}

func swallow(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

func benchmark(b *testing.B, s sink.Sink, concurrency, size int) {
	records := make([]string, size)
	for i := range records {
		records[i] = benchRecord
	}
	batch := batchOf(records...)
	work(b, concurrency, func() error { return s.Deliver(b.Context(), batch) })
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "deliveries/s")
}

// work does f b.N times, so many at once.
func work(b *testing.B, concurrency int, f func() error) {
	b.ReportAllocs()
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
