package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tidings/internal/arn"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var owner = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}

// memoryLog is a Log whose packs are handed out again after a crash unless acknowledged.
type memoryLog struct {
	mu    sync.Mutex
	seq   uint64
	queue []*fanout.Pack
	open  map[uint64][]event.Event // handed out or not, but not acknowledged
	more  chan struct{}
	acked chan struct{} // holds a token when something was acknowledged
	err   error         // what the next Next returns, once
}

func newLog() *memoryLog {
	return &memoryLog{open: map[uint64][]event.Event{}, more: make(chan struct{}, 1), acked: make(chan struct{}, 1)}
}

func (l *memoryLog) publish(events ...event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	l.open[l.seq] = events
	l.enqueue(l.seq)
}

// enqueue hands the pack out. mu is held.
func (l *memoryLog) enqueue(seq uint64) {
	l.queue = append(l.queue, &fanout.Pack{Seq: seq, Events: slices.Clone(l.open[seq]), Ack: func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, seq)
		select {
		case l.acked <- struct{}{}:
		default:
		}
	}})
	select {
	case l.more <- struct{}{}:
	default:
	}
}

func (l *memoryLog) Next(ctx context.Context) (*fanout.Pack, error) {
	for {
		l.mu.Lock()
		if err := l.err; err != nil {
			l.err = nil
			l.mu.Unlock()
			return nil, err
		}
		if len(l.queue) > 0 {
			p := l.queue[0]
			l.queue = l.queue[1:]
			l.mu.Unlock()
			return p, nil
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// replay hands everything out again that was not acknowledged, as after a crash.
func (l *memoryLog) replay() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = nil
	for _, seq := range slices.Sorted(maps.Keys(l.open)) {
		l.enqueue(seq)
	}
}

func (l *memoryLog) unacknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// memoryLot is a Lot that can be made to fail.
type memoryLot struct {
	mu    sync.Mutex
	seq   uint64
	packs map[uint64]lotPack
	full  bool
	parks int // how often something was parked
	hold  chan struct{}
}

type lotPack struct {
	sub fanout.Subscriber
	ds  []fanout.Delivery
}

var errFull = errors.New("no space left on device")

func (l *memoryLot) Park(ctx context.Context, s fanout.Subscriber, ds []fanout.Delivery) error {
	l.mu.Lock()
	hold := l.hold
	l.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return errFull
	}
	l.seq++
	l.parks++
	l.packs[l.seq] = lotPack{s, slices.Clone(ds)}
	return nil
}

func (l *memoryLot) Next(_ context.Context, s fanout.Subscriber, after uint64) (*fanout.ParkedPack, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seq := range slices.Sorted(maps.Keys(l.packs)) {
		if p := l.packs[seq]; seq > after && p.sub == s {
			return &fanout.ParkedPack{Seq: seq, Deliveries: slices.Clone(p.ds)}, nil
		}
	}
	return nil, nil
}

func (l *memoryLot) Remove(_ context.Context, seqs ...uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return errFull
	}
	for _, seq := range seqs {
		delete(l.packs, seq)
	}
	return nil
}

func (l *memoryLot) Backlogs(context.Context) (map[fanout.Subscriber]fanout.Backlog, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[fanout.Subscriber]fanout.Backlog{}
	for _, p := range l.packs {
		b := all[p.sub]
		b.Deliveries += len(p.ds)
		all[p.sub] = b
	}
	return all, nil
}

func (l *memoryLot) set(change func(l *memoryLot)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// events returns the IDs of the events parked for s, in order.
func (l *memoryLot) events(s fanout.Subscriber) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, seq := range slices.Sorted(maps.Keys(l.packs)) {
		if p := l.packs[seq]; p.sub == s {
			for _, d := range p.ds {
				ids = append(ids, d.Event.ID)
			}
		}
	}
	return ids
}

// memoryMorgue is a Morgue that can be made to fail.
type memoryMorgue struct {
	mu      sync.Mutex
	serial  int
	letters []fanout.DeadLetter
	full    bool
}

func (m *memoryMorgue) Bury(_ context.Context, letters ...fanout.DeadLetter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return errFull
	}
	for _, letter := range letters {
		m.serial++
		letter.ID = fmt.Sprintf("%06d", m.serial)
		m.letters = append(m.letters, letter)
	}
	return nil
}

func (m *memoryMorgue) List(_ context.Context, after string, limit int) ([]fanout.DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.letters, func(d fanout.DeadLetter) bool { return d.ID > after })
	if i < 0 {
		return nil, nil
	}
	return slices.Clone(m.letters[i:min(len(m.letters), i+limit)]), nil
}

func (m *memoryMorgue) Remove(_ context.Context, ids ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = slices.DeleteFunc(m.letters, func(d fanout.DeadLetter) bool { return slices.Contains(ids, d.ID) })
	return nil
}

func (m *memoryMorgue) Count(context.Context) (int, error) { return len(m.all()), nil }

func (m *memoryMorgue) all() []fanout.DeadLetter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.letters)
}

// sets is what clients have configured.
type sets struct {
	mu  sync.RWMutex
	all map[configset.Key]*configset.Set
}

func (s *sets) Get(key configset.Key) (*configset.Set, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	set, ok := s.all[key]
	return set, ok
}

// put makes a set of one enabled SNS destination per name.
func (s *sets) put(set string, destinations ...string) {
	c := &configset.Set{Name: set}
	for _, name := range destinations {
		c.Destinations = append(c.Destinations, configset.EventDestination{
			Name: name, Enabled: true, Types: []event.Type{event.VoiceAnswered},
			Destination: configset.Destination{Kind: configset.SNS, ARN: arnOf(name)},
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[configset.Key{Tenant: owner, Scope: configset.Voice, Name: set}] = c
}

// change edits a destination.
func (s *sets) change(set, name string, edit func(d *configset.EventDestination)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := configset.Key{Tenant: owner, Scope: configset.Voice, Name: set}
	c := s.all[key].Clone()
	d, _ := c.Destination(name)
	edit(d)
	s.all[key] = c
}

func (s *sets) remove(set string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, configset.Key{Tenant: owner, Scope: configset.Voice, Name: set})
}

func arnOf(name string) string { return "arn:aws:sns:us-east-1:123456789012:" + name }

func subscriber(set, name string) fanout.Subscriber {
	return fanout.Subscriber{Tenant: owner, Scope: configset.Voice, Set: set, Name: name}
}

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
	set     fanout.Settings
	inHand  int
	now     func() time.Time
	metrics *fanout.Metrics
	courier *fanout.Courier
	stopped func()
	serial  int
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
	router := &fanout.Router{Log: r.log, Directory: directory, Courier: r.courier, Logger: logger, Metrics: r.metrics, InHand: r.inHand}
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
