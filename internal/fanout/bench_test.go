package fanout_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/sink"
)

// benchLog hands out the same pack n times.
type benchLog struct {
	mu   sync.Mutex
	left int
	seq  uint64
	make func(seq uint64) []event.Event
	ack  func()
}

func (l *benchLog) Next(ctx context.Context) (*fanout.Pack, error) {
	l.mu.Lock()
	if l.left == 0 {
		l.mu.Unlock()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	l.left--
	l.seq++
	seq := l.seq
	l.mu.Unlock()
	return &fanout.Pack{Seq: seq, Events: l.make(seq), Ack: l.ack}, nil
}

// benchSinks opens one sink for all targets.
type benchSinks struct {
	limits  sink.Limits // zero = 500 deliveries and 4 MiB
	deliver func(ctx context.Context, t sink.Target, batch []sink.Delivery) error
}

func (b *benchSinks) Open(t sink.Target) (sink.Sink, error) { return benchSink{b, t}, nil }

type benchSink struct {
	*benchSinks
	target sink.Target
}

func (s benchSink) Limits() sink.Limits {
	if s.limits.Count > 0 {
		return s.limits
	}
	return sink.Limits{Count: 500, Bytes: 4 << 20}
}

func (benchSink) Close() error { return nil }

func (s benchSink) Deliver(ctx context.Context, batch []sink.Delivery) error {
	return s.deliver(ctx, s.target, batch)
}

const packSize = 64

// benchEvents makes packs of packSize events for the set.
func benchEvents(set func(i int) string) func(seq uint64) []event.Event {
	record := fmt.Appendf(nil, `{"text":"%0490d"}`, 0)
	ids := make([]string, 4_096)
	for i := range ids {
		ids[i] = fmt.Sprintf("8f1c9b3e-5c1a-4b66-9a53-%012d/answered", i)
	}
	return func(seq uint64) []event.Event {
		events := make([]event.Event, packSize)
		for i := range events {
			n := int(seq)*packSize + i
			events[i] = event.Event{
				ID: ids[n%len(ids)], Type: event.VoiceAnswered, Time: time.Now(), Tenant: owner,
				Set: set(n), Message: ids[n%len(ids)][:36], Record: record,
			}
		}
		return events
	}
}

// run carries packs through a Router and a Courier and waits for the last to be
// acknowledged.
func run(b *testing.B, packs int, directory fanout.Directory, sinks *benchSinks, events func(seq uint64) []event.Event) {
	b.Helper()
	runThen(b, packs, directory, sinks, events, func(*fanout.Courier) {})
}

// runThen is run, with a look at the Courier before it ends.
func runThen(b *testing.B, packs int, directory fanout.Directory, sinks *benchSinks, events func(seq uint64) []event.Event, then func(c *fanout.Courier)) {
	b.Helper()
	var acked atomic.Int64
	all := make(chan struct{})
	log := &benchLog{left: packs, make: events, ack: func() {
		if acked.Add(1) == int64(packs) {
			close(all)
		}
	}}
	registry := prometheus.NewRegistry()
	metrics := fanout.NewMetrics(registry)
	logger := slog.New(slog.DiscardHandler)
	c := fanout.NewCourier(fanout.Parts{
		Directory: directory, Sinks: sinks, Lot: &memoryLot{packs: map[uint64]lotPack{}}, Morgue: &memoryMorgue{}, Logger: logger, Metrics: metrics,
	}, fanout.Settings{})
	r := &fanout.Router{Log: log, Directory: directory, Courier: c, Logger: logger, Metrics: metrics}
	ctx, cancel := context.WithCancel(b.Context())
	var services sync.WaitGroup
	services.Go(func() { _ = c.Run(ctx) })
	services.Go(func() { _ = r.Run(ctx) })
	<-all
	b.StopTimer()
	then(c)
	cancel()
	services.Wait()
}

// BenchmarkFanout carries each event to one subscriber, of so many.
func BenchmarkFanout(b *testing.B) {
	for _, subscribers := range []int{1, 10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			all := &sets{all: map[configset.Key]*configset.Set{}}
			names := make([]string, subscribers)
			for i := range names {
				names[i] = fmt.Sprintf("set-%d", i)
				all.put(names[i], "destination")
			}
			sinks := &benchSinks{deliver: func(context.Context, sink.Target, []sink.Delivery) error { return nil }}
			packs := max(1, b.N/packSize)
			b.ReportAllocs()
			b.ResetTimer()
			run(b, packs, fanout.SetDirectory{Sets: all}, sinks, benchEvents(func(i int) string { return names[i%subscribers] }))
			b.ReportMetric(float64(packs*packSize)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkFanoutTenEach carries each event to ten subscribers.
func BenchmarkFanoutTenEach(b *testing.B) {
	all := &sets{all: map[configset.Key]*configset.Set{}}
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("destination-%d", i))
	}
	all.put("s", names...)
	sinks := &benchSinks{deliver: func(context.Context, sink.Target, []sink.Delivery) error { return nil }}
	packs := max(1, b.N/packSize/10)
	b.ReportAllocs()
	b.ResetTimer()
	run(b, packs, fanout.SetDirectory{Sets: all}, sinks, benchEvents(func(int) string { return "s" }))
	b.ReportMetric(float64(packs*packSize*10)/b.Elapsed().Seconds(), "deliveries/s")
}
