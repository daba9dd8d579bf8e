package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/lifecycle"
	"tidings/internal/natsstore"
	"tidings/internal/sink"
	"tidings/internal/sink/file"
	"tidings/internal/tenant"
)

// BenchmarkEventsToFile measures events from Publish to the sync of the destination's file:
// the store, the router, the courier and the file driver, as the product wires them. The
// publishers wait for their events to be durable, as calls do. p99-ms is from the making
// of the event to its delivery.
func BenchmarkEventsToFile(b *testing.B) {
	for _, bench := range []struct {
		publishers int
		rate       int // events a second; 0 = as many as go
	}{{16, 0}, {256, 0}, {2048, 0}, {64, 5_000}} {
		name := fmt.Sprintf("publishers=%d", bench.publishers)
		if bench.rate > 0 {
			name += fmt.Sprintf("/rate=%d", bench.rate)
		}
		b.Run(name, func(b *testing.B) { benchmarkEvents(b, newFiles(b), bench.publishers, bench.rate) })
	}
}

// newFiles makes the driver that needs nothing else.
func newFiles(b *testing.B) place {
	b.Helper()
	files, err := file.New(b.TempDir(), file.Settings{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := files.Close(); err != nil {
			b.Error(err)
		}
	})
	return place{files, configset.SNS, "arn:aws:sns:us-east-1:123456789012:bench"}
}

// place is where events go, and by what.
type place struct {
	driver sink.Driver
	kind   configset.Kind
	arn    string
}

var benchTenant = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}

const benchSet = "bench"

func benchmarkEvents(b *testing.B, to place, publishers, rate int) {
	p := newPipeline(b, to)
	record := slices.Repeat([]byte("x"), 400)
	record = append(append([]byte(`{"pad":"`), record...), `"}`...)
	b.ResetTimer()
	begun := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range publishers {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if rate > 0 {
					time.Sleep(time.Until(begun.Add(time.Duration(n) * time.Second / time.Duration(rate))))
				}
				e := event.Event{
					ID: fmt.Sprint(n, "/answered"), Type: event.VoiceAnswered, Time: time.Now(), Tenant: benchTenant,
					Set: benchSet, Message: fmt.Sprint(n), Record: record,
				}
				if err := p.store.Events().Publish(b.Context(), e); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	p.meter.wait(b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(p.meter.quantile(0.50), "p50-ms")
	b.ReportMetric(p.meter.quantile(0.99), "p99-ms")
}

// pipeline is the way of an event, from the log to a place.
type pipeline struct {
	store *natsstore.Store
	meter *meter
}

func newPipeline(b *testing.B, to place) *pipeline {
	b.Helper()
	store, err := natsstore.Open(b.Context(), natsstore.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	key := configset.Key{Tenant: benchTenant, Scope: configset.Voice, Name: benchSet}
	err = store.ConfigurationSets().Create(b.Context(), key, &configset.Set{Name: benchSet, Destinations: []configset.EventDestination{{
		Name: "d", Enabled: true, Types: []event.Type{event.VoiceAnswered},
		Destination: configset.Destination{Kind: to.kind, ARN: to.arn},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	p := &pipeline{store: store, meter: &meter{driver: to.driver, done: make(chan struct{}, 1)}}
	directory := fanout.SetDirectory{Sets: store.ConfigurationSets()}
	bindings := sink.NewBindings(sink.Binding{Name: "bench", Driver: p.meter})
	courier := fanout.NewCourier(fanout.Parts{
		Directory: directory, Sinks: bindings,
		Lot: store.Parking(), Morgue: store.DeadLetters(), Logger: slog.New(slog.DiscardHandler),
	}, fanout.Settings{})
	router := &fanout.Router{Log: store.Events(), Directory: directory, Courier: courier, Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() {
		stopped <- lifecycle.Run(ctx,
			lifecycle.Service{Name: "store", Run: store.Run},
			lifecycle.Service{Name: "courier", Run: courier.Run},
			lifecycle.Service{Name: "router", Run: router.Run})
	}()
	b.Cleanup(func() {
		cancel()
		if err := errors.Join(<-stopped, bindings.Close()); err != nil {
			b.Error(err)
		}
	})
	return p
}

// meter is a Driver that notes when deliveries have arrived through another.
type meter struct {
	driver sink.Driver
	mu     sync.Mutex
	took   []float64 // milliseconds
	sorted bool
	wanted int
	done   chan struct{}
}

func (m *meter) Check(t sink.Target) error { return m.driver.Check(t) }

func (m *meter) Open(t sink.Target) (sink.Sink, error) {
	s, err := m.driver.Open(t)
	return &meteredSink{s, m}, err
}

type meteredSink struct {
	sink.Sink
	meter *meter
}

func (s *meteredSink) Deliver(ctx context.Context, batch []sink.Delivery) error {
	err := s.Sink.Deliver(ctx, batch)
	if err == nil {
		s.meter.note(batch)
	}
	return err
}

func (m *meter) note(batch []sink.Delivery) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range batch {
		m.took = append(m.took, float64(now.Sub(batch[i].Event.Time))/float64(time.Millisecond))
	}
	if m.wanted > 0 && len(m.took) >= m.wanted {
		m.done <- struct{}{}
		m.wanted = 0
	}
}

func (m *meter) wait(n int) {
	m.mu.Lock()
	if len(m.took) >= n {
		m.mu.Unlock()
		return
	}
	m.wanted = n
	m.mu.Unlock()
	<-m.done
}

func (m *meter) quantile(q float64) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.sorted {
		slices.Sort(m.took)
		m.sorted = true
	}
	return m.took[int(q*float64(len(m.took)-1))]
}
