package fanout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/sink"
)

// lags collects how long after they happened events arrived.
type lags struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *lags) note(batch []sink.Delivery) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range batch {
		l.all = append(l.all, now.Sub(batch[i].Event.Time))
	}
}

func (l *lags) report(b *testing.B) {
	b.Helper()
	if len(l.all) == 0 {
		return // a try with so few events that none was for a healthy one
	}
	slices.Sort(l.all)
	for name, at := range map[string]int{"p50-ms": 50, "p99-ms": 99} {
		b.ReportMetric(float64(l.all[len(l.all)*at/100].Microseconds())/1_000, name)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIsolation offers 20,000 events/s to some destinations, of which some hang or, if
// there are more, refuse connections by turns. It reports how long after it happened an
// event reached a healthy one.
func BenchmarkIsolation(b *testing.B) {
	for _, c := range []struct{ all, stuck int }{{10, 0}, {10, 1}, {1_000, 0}, {1_000, 100}, {10_000, 0}, {10_000, 1_000}} {
		b.Run(fmt.Sprintf("stuck=%d_of_%d", c.stuck, c.all), func(b *testing.B) {
			all := &sets{all: map[configset.Key]*configset.Set{}}
			stuck := map[string]int{}
			names := make([]string, c.all)
			for i := range names {
				names[i] = fmt.Sprintf("set-%d", i)
				all.put(names[i], names[i])
				if i < c.stuck {
					stuck[names[i]] = 1 + i%2
				}
			}
			var healthy lags
			sinks := &benchSinks{deliver: func(ctx context.Context, t sink.Target, batch []sink.Delivery) error {
				switch stuck[t.ARN.Resource] {
				case 1:
					<-ctx.Done()
					return ctx.Err()
				case 2:
					return errors.New("connection refused")
				}
				healthy.note(batch)
				return nil
			}}
			events := benchEvents(func(i int) string { return names[i%len(names)] })
			tick := time.NewTicker(packSize * time.Second / 20_000)
			defer tick.Stop()
			b.ResetTimer()
			run(b, max(1, b.N/packSize), fanout.SetDirectory{Sets: all}, sinks, func(seq uint64) []event.Event {
				<-tick.C
				return events(seq)
			})
			healthy.report(b)
		})
	}
}

// BenchmarkWidth delivers one event in a batch to one destination, which answers after a
// time or is an HTTP server on the same machine, and reports the width that was learned.
func BenchmarkWidth(b *testing.B) {
	answers := func(long time.Duration) func(context.Context, sink.Target, []sink.Delivery) error {
		return func(context.Context, sink.Target, []sink.Delivery) error {
			if long > 0 {
				time.Sleep(long)
			}
			return nil
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(server.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b.Cleanup(transport.CloseIdleConnections)
	post := func(ctx context.Context, _ sink.Target, batch []sink.Delivery) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, bytes.NewReader(batch[0].Event.Record))
		if err != nil {
			return err
		}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	for _, c := range []struct {
		name    string
		deliver func(context.Context, sink.Target, []sink.Delivery) error
	}{
		{"answers after 0", answers(0)},
		{"answers after 200 us", answers(200 * time.Microsecond)},
		{"answers after 20 ms", answers(20 * time.Millisecond)},
		{"HTTP at hand", post},
	} {
		b.Run(c.name, func(b *testing.B) {
			all := &sets{all: map[configset.Key]*configset.Set{}}
			all.put("s", "destination")
			sinks := &benchSinks{limits: sink.Limits{Count: 1, Bytes: 1 << 20}, deliver: c.deliver}
			packs := max(1, b.N/packSize)
			b.ReportAllocs()
			b.ResetTimer()
			runUntilDelivered(b, packs, fanout.SetDirectory{Sets: all}, sinks, benchEvents(func(int) string { return "s" }))
			b.ReportMetric(float64(packs*packSize)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// runUntilDelivered is run, but waits for the last delivery: packs are acknowledged when
// they are parked.
func runUntilDelivered(b *testing.B, packs int, directory fanout.Directory, sinks *benchSinks, events func(seq uint64) []event.Event) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(packs) * packSize)
	done := make(chan struct{})
	deliver := sinks.deliver
	sinks.deliver = func(ctx context.Context, t sink.Target, batch []sink.Delivery) error {
		err := deliver(ctx, t, batch)
		if err == nil && left.Add(-int64(len(batch))) == 0 {
			close(done)
		}
		return err
	}
	width := 0
	runThen(b, packs, directory, sinks, events, func(c *fanout.Courier) {
		b.StartTimer()
		<-done
		b.StopTimer()
		for _, s := range c.Status() {
			width = s.Width
		}
	})
	b.ReportMetric(float64(width), "width")
}

// BenchmarkIdleLanes measures what a destination costs in memory that had deliveries and
// has none now. The directory is not counted.
func BenchmarkIdleLanes(b *testing.B) {
	const lanes = 100_000
	all := &sets{all: map[configset.Key]*configset.Set{}}
	names := make([]string, lanes)
	for i := range names {
		names[i] = fmt.Sprintf("set-%d", i)
		all.put(names[i], "destination")
	}
	sinks := &benchSinks{deliver: func(context.Context, sink.Target, []sink.Delivery) error { return nil }}
	events := benchEvents(func(i int) string { return names[i%lanes] })
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		before := heap()
		runThen(b, 4*lanes/packSize, fanout.SetDirectory{Sets: all}, sinks, events, func(c *fanout.Courier) {
			for _, busy := c.Lanes(); busy > 0; _, busy = c.Lanes() {
				time.Sleep(100 * time.Millisecond)
			}
			b.ReportMetric((heap()-before)/lanes, "B/lane")
		})
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBacklog delivers what was parked before, and reports the cost of one delivery as
// there is more of it.
func BenchmarkBacklog(b *testing.B) {
	for _, parked := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint("parked=", parked), func(b *testing.B) {
			all := &sets{all: map[configset.Key]*configset.Set{}}
			all.put("s", "destination")
			events := benchEvents(func(int) string { return "s" })
			for b.Loop() {
				b.StopTimer()
				lot := &memoryLot{packs: map[uint64]lotPack{}}
				for n := 0; n < parked; {
					var ds []fanout.Delivery
					for len(ds) < 1_000 {
						for _, e := range events(uint64(n / packSize)) {
							ds = append(ds, fanout.Delivery{Event: e})
						}
					}
					n += len(ds)
					if err := lot.Park(b.Context(), subscriber("s", "destination"), ds); err != nil {
						b.Fatal(err)
					}
				}
				var left atomic.Int64
				left.Store(int64(parked))
				done := make(chan struct{})
				sinks := &benchSinks{deliver: func(_ context.Context, _ sink.Target, batch []sink.Delivery) error {
					if n := left.Add(-int64(len(batch))); n <= 0 && n+int64(len(batch)) > 0 {
						close(done)
					}
					return nil
				}}
				c := fanout.NewCourier(fanout.Parts{
					Directory: fanout.SetDirectory{Sets: all}, Sinks: sinks, Lot: lot, Morgue: &memoryMorgue{}, Logger: slog.New(slog.DiscardHandler),
				}, fanout.Settings{})
				ctx, cancel := context.WithCancel(b.Context())
				var service sync.WaitGroup
				b.StartTimer()
				service.Go(func() { _ = c.Run(ctx) })
				<-done
				cancel()
				service.Wait()
			}
			b.ReportMetric(float64(b.N)*float64(parked)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}
