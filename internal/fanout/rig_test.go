package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/sink"
)

// farEnd is a sink for every target. What a target does is up to its script; without one
// it takes everything.
type farEnd struct {
	limits sink.Limits

	mu       sync.Mutex
	scripts  map[string]script
	got      map[string][]string // event IDs that arrived, by target name
	attempts map[string][]attempt
}

type script func(ctx context.Context, batch []sink.Delivery) error

type attempt struct {
	at  time.Time
	ids []string
}

func newFarEnd() *farEnd {
	return &farEnd{
		limits:  sink.Limits{Count: 100, Bytes: 1 << 20},
		scripts: map[string]script{}, got: map[string][]string{}, attempts: map[string][]attempt{},
	}
}

func (f *farEnd) Open(t sink.Target) (sink.Sink, error) { return &farSink{f, t.ARN}, nil }

func (f *farEnd) script(name string, s script) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts[name] = s
}

func (f *farEnd) arrived(name string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got[name])
}

func (f *farEnd) tried(name string) []attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.attempts[name])
}

type farSink struct {
	far *farEnd
	arn arn.ARN
}

func (s *farSink) Driver() string      { return "far" }
func (s *farSink) Limits() sink.Limits { return s.far.limits }
func (s *farSink) Close() error        { return nil }

func (s *farSink) Deliver(ctx context.Context, batch []sink.Delivery) error {
	f, name := s.far, s.arn.Resource
	f.mu.Lock()
	script := f.scripts[name]
	a := attempt{at: time.Now()}
	for i := range batch {
		a.ids = append(a.ids, batch[i].Event.ID)
		if want := batch[i].Event.ID + "/" + batch[i].Destination; batch[i].ID != want {
			panic(fmt.Sprintf("delivery ID %q, want %q", batch[i].ID, want))
		}
	}
	f.attempts[name] = append(f.attempts[name], a)
	f.mu.Unlock()
	var err error
	if script != nil {
		err = script(ctx, batch)
	}
	partial, ok := errors.AsType[*sink.PartialError](err)
	if err != nil && !ok {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range batch {
		if !ok || partial.Failed[i] == nil {
			f.got[name] = append(f.got[name], batch[i].Event.ID)
		}
	}
	return err
}

var errDown = errors.New("connection refused")

func down(context.Context, []sink.Delivery) error { return errDown }

func hang(ctx context.Context, _ []sink.Delivery) error {
	<-ctx.Done()
	return ctx.Err()
}

// rig is a Router and a Courier among fakes.
type rig struct {
	log    *memoryLog
	lot    *memoryLot
	morgue *memoryMorgue
	sets   *sets
	far    *farEnd
	sinks  interface { // what the Courier opens; far unless a test puts another
		Open(t sink.Target) (sink.Sink, error)
	}
	set         fanout.Settings
	inHand      int
	inHandBytes int
	now         func() time.Time
	metrics     *fanout.Metrics
	courier     *fanout.Courier
	stopped     func()
	serial      int
}

func newRig() *rig {
	far := newFarEnd()
	return &rig{
		log: newLog(), lot: &memoryLot{packs: map[uint64]lotPack{}}, morgue: &memoryMorgue{},
		sets: &sets{all: map[configset.Key]*configset.Set{}}, far: far, sinks: far,
	}
}

// start runs a new Router and Courier, which end with the test or with stop.
func (r *rig) start(tb testing.TB) {
	tb.Helper()
	directory := fanout.SetDirectory{Sets: r.sets}
	logger := slog.New(slog.DiscardHandler)
	r.courier = fanout.NewCourier(fanout.Parts{
		Directory: directory, Sinks: r.sinks, Lot: r.lot, Morgue: r.morgue, Logger: logger, Metrics: r.metrics, Now: r.now,
	}, r.set)
	router := &fanout.Router{Log: r.log, Directory: directory, Courier: r.courier, Logger: logger, Metrics: r.metrics, InHand: r.inHand, InHandBytes: r.inHandBytes}
	ctx, cancel := context.WithCancel(context.Background())
	routed, carried := make(chan struct{}), make(chan struct{})
	courierCtx, stopCourier := context.WithCancel(context.Background())
	go func() {
		defer close(carried)
		if err := r.courier.Run(courierCtx); err != nil {
			tb.Errorf("Courier.Run = %v", err)
		}
	}()
	go func() {
		defer close(routed)
		if err := router.Run(ctx); err != nil {
			tb.Errorf("Router.Run = %v", err)
		}
	}()
	r.stopped = sync.OnceFunc(func() {
		cancel()
		<-routed
		stopCourier()
		<-carried
	})
	tb.Cleanup(r.stopped)
}

// crash begins again with what is on disk.
func (r *rig) crash(tb testing.TB) {
	tb.Helper()
	r.stopped()
	r.log.replay()
	r.start(tb)
}

// publish publishes n events of the set in packs of one, and returns their IDs.
func (r *rig) publish(set string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		r.serial++
		ids[i] = fmt.Sprintf("m%05d/answered", r.serial)
		r.log.publish(event.Event{
			ID: ids[i], Type: event.VoiceAnswered, Time: time.Now(), Tenant: owner, Set: set,
			Message: fmt.Sprintf("m%05d", r.serial), Record: fmt.Appendf(nil, `{"n":%d}`, r.serial),
		})
	}
	return ids
}

// publishCalls publishes n events of each of so many messages of the set, first one of
// each, then another of each, in packs of one. It returns them.
func (r *rig) publishCalls(set string, messages, n int) []event.Event {
	var all []event.Event
	for k := range n {
		for m := range messages {
			message := fmt.Sprintf("m%05d", r.serial+m+1)
			all = append(all, event.Event{
				ID: fmt.Sprintf("%s/%d", message, k), Type: event.VoiceAnswered, Time: time.Now(), Tenant: owner, Set: set,
				Message: message, Record: fmt.Appendf(nil, `{"n":%d}`, k),
			})
		}
	}
	r.serial += messages
	for _, e := range all {
		r.log.publish(e)
	}
	return all
}

func (r *rig) status(tb testing.TB, s fanout.Subscriber) fanout.SubscriberStatus {
	tb.Helper()
	for _, status := range r.courier.Status() {
		if status.Subscriber == s {
			return status
		}
	}
	tb.Fatalf("Status has no %v", s)
	return fanout.SubscriberStatus{}
}

// after lets d pass and everything come to rest.
func after(d time.Duration) {
	time.Sleep(d) // in a bubble: no real time passes
	synctest.Wait()
}

// inBubble runs a test in simulated time with a rig that has one set "s" with the
// destinations.
func inBubble(t *testing.T, destinations []string, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.sets.put("s", destinations...)
		f(t, r)
	})
}
