package sink

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
)

// Binding says which driver serves the ARNs that a pattern covers.
type Binding struct {
	Name   string // of the way of delivering, for metrics and people: "file", "webhook"
	Match  Pattern
	Driver Driver
}

// maxIdle bounds the sinks that stay open though nobody uses them.
const maxIdle = 1_024

// Bindings is the Driver that stands before all others: it hands each target to the first
// binding that matches, and shares one open sink among all who open the same target.
// The list can be replaced while deliveries are under way: those end on the sinks they
// began with.
type Bindings struct {
	mu       sync.Mutex
	list     []Binding
	fallback Binding
	age      int // of the list; a sink of an older list is closed with its last user
	open     map[Target]*shared
	idle     *list.List // of *shared nobody uses, the longest idle first
	closed   bool
}

// shared is a sink with those who use it.
type shared struct {
	target Target
	name   string
	driver Driver
	age    int
	users  int
	place  *list.Element // in idle; nil while in use
	opened sync.Once
	sink   Sink
	err    error
}

// NewBindings makes Bindings of the list, first match first. What no binding matches goes
// to the fallback, whose Match is not asked.
func NewBindings(fallback Binding, bindings ...Binding) *Bindings {
	return &Bindings{list: bindings, fallback: fallback, open: map[Target]*shared{}, idle: list.New()}
}

// Swap replaces the whole list. Sinks of the old one are closed once nobody uses them.
// It returns the failures of closing those that are closed at once.
func (b *Bindings) Swap(fallback Binding, bindings ...Binding) error {
	b.mu.Lock()
	b.list, b.fallback = bindings, fallback
	b.age++
	old := b.takeIdle(0)
	clear(b.open) // those in use live on with their users
	b.mu.Unlock()
	return closeAll(old)
}

// Name returns the name of the binding that serves the target.
func (b *Bindings) Name(t Target) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.find(t).Name
}

// Check asks the driver that serves the target.
func (b *Bindings) Check(t Target) error {
	b.mu.Lock()
	binding := b.find(t)
	b.mu.Unlock()
	if err := binding.Driver.Check(t); err != nil {
		return fmt.Errorf("%s: %w", binding.Name, err)
	}
	return nil
}

// Open returns the sink of the target, opening it if nobody has. Whoever opened must
// Close; the sink itself stays open for a while for the next.
func (b *Bindings) Open(t Target) (Sink, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, errClosed
	}
	s, ok := b.open[t]
	if !ok {
		binding := b.find(t)
		s = &shared{target: t, name: binding.Name, driver: binding.Driver, age: b.age}
		b.open[t] = s
	}
	s.users++
	if s.place != nil {
		b.idle.Remove(s.place)
		s.place = nil
	}
	b.mu.Unlock()

	s.opened.Do(func() { s.sink, s.err = s.driver.Open(t) })
	if s.err != nil {
		err := fmt.Errorf("open %s for %s: %w", s.name, t.ARN, s.err)
		return nil, errors.Join(err, b.release(s))
	}
	return &handle{bindings: b, shared: s}, nil
}

// Close closes all sinks that nobody uses and lets the others go with their last user.
// Nothing can be opened after it.
func (b *Bindings) Close() error {
	b.mu.Lock()
	b.closed = true
	b.age++
	old := b.takeIdle(0)
	clear(b.open)
	b.mu.Unlock()
	return closeAll(old)
}

var errClosed = errors.New("sinks are closed")

// find returns the binding that serves the target. b.mu is held.
func (b *Bindings) find(t Target) Binding {
	for _, binding := range b.list {
		if binding.Match.Match(t.ARN) {
			return binding
		}
	}
	return b.fallback
}

// release takes one user from s and closes what then need not stay open.
func (b *Bindings) release(s *shared) error {
	b.mu.Lock()
	s.users--
	var old []*shared
	switch {
	case s.users > 0:
	case s.age != b.age:
		old = []*shared{s}
	case s.err != nil: // the next one tries again
		delete(b.open, s.target)
	default:
		s.place = b.idle.PushBack(s)
		old = b.takeIdle(maxIdle)
	}
	b.mu.Unlock()
	return closeAll(old)
}

// takeIdle forgets the longest idle sinks until no more than keep are left. b.mu is held.
func (b *Bindings) takeIdle(keep int) []*shared {
	var taken []*shared
	for b.idle.Len() > keep {
		s, _ := b.idle.Remove(b.idle.Front()).(*shared)
		s.place = nil
		delete(b.open, s.target)
		taken = append(taken, s)
	}
	return taken
}

func closeAll(all []*shared) error {
	var failures []error
	for _, s := range all {
		if s.sink == nil {
			continue
		}
		if err := s.sink.Close(); err != nil {
			failures = append(failures, fmt.Errorf("close %s for %s: %w", s.name, s.target.ARN, err))
		}
	}
	return errors.Join(failures...)
}

// handle is one user's hold on a shared sink.
type handle struct {
	bindings *Bindings
	shared   *shared
	once     sync.Once
	err      error
}

// Driver names the binding that the sink came from.
func (h *handle) Driver() string { return h.shared.name }

func (h *handle) Limits() Limits { return h.shared.sink.Limits() }

func (h *handle) Deliver(ctx context.Context, batch []Delivery) error {
	return h.shared.sink.Deliver(ctx, batch)
}

func (h *handle) Close() error {
	h.once.Do(func() { h.err = h.bindings.release(h.shared) })
	return h.err
}
