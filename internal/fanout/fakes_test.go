package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
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
	order map[fanout.Subscriber][]uint64 // sequences, some of which may be gone
	full  bool
	space int // packs that may still be parked before it is full; 0 = no bound
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
	if l.space > 0 {
		l.space--
		l.full = l.space == 0
	}
	l.seq++
	l.parks++
	l.packs[l.seq] = lotPack{s, slices.Clone(ds)}
	if l.order == nil {
		l.order = map[fanout.Subscriber][]uint64{}
	}
	l.order[s] = append(l.order[s], l.seq)
	return nil
}

func (l *memoryLot) Next(_ context.Context, s fanout.Subscriber, after uint64) (*fanout.ParkedPack, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.order[s]) == 0 {
		return nil, nil
	}
	l.order[s] = slices.DeleteFunc(l.order[s], func(seq uint64) bool { _, ok := l.packs[seq]; return !ok })
	i, found := slices.BinarySearch(l.order[s], after)
	if found {
		i++
	}
	if i == len(l.order[s]) {
		return nil, nil
	}
	seq := l.order[s][i]
	return &fanout.ParkedPack{Seq: seq, Deliveries: slices.Clone(l.packs[seq].ds)}, nil
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

// attempts returns how many attempts each parked event has to its name.
func (l *memoryLot) attempts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]int{}
	for _, p := range l.packs {
		for _, d := range p.ds {
			all[d.Event.ID] = d.Attempts
		}
	}
	return all
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
