package configset

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// maxDestinations is how many event destinations a set may have even where no limit is
// set: a set is stored as one value, and its largest destinations fill about 4 KiB each.
const maxDestinations = 1_000

// Service is what an API family does with configuration sets. It holds the rules; the
// Store only keeps. Store must be set. It is safe for concurrent use and must not be
// copied.
//
// A missing set or event destination is fault.NotFound, a second one of the same name
// fault.Exists, one too many fault.LimitExceeded, and any wrong input fault.Invalid. A
// refused change changes nothing.
type Service struct {
	Store Store
	// Limits returns what the account may have; nil = quota.Production for everybody.
	Limits func(account string) quota.Limits
	// Check reports whether there is a way of delivering to d for the tenant. It must not touch the
	// network. What it says goes to the client. nil = there always is.
	Check func(t tenant.Tenant, d Destination) error
	Now   func() time.Time // nil = time.Now

	// counters keep the count of sets within its limit while several are created. Tenants
	// share them, which can only make one of them wait.
	counters [64]counter
}

// Create makes an empty set.
func (s *Service) Create(ctx context.Context, t tenant.Tenant, scope Scope, name string) error {
	return s.CreateWith(ctx, t, scope, name, Options{})
}

// room makes sure that one more set is within the limit until done is called. Far from the
// limit creations go on side by side; those under way count as if they were done. Close to
// it they go one after the other, so that the limit is exact on this node.
func (s *Service) room(t tenant.Tenant, scope Scope) (done func(), err error) {
	limit := s.limits(t.Account).Of(quota.ConfigurationSets)
	if limit == quota.Unlimited {
		return func() {}, nil
	}
	c := s.counter(t, scope)
	c.gate.RLock()
	under := c.underWay.Add(1) // before the count: what ends in between is counted twice, never not at all
	if int64(s.Store.Count(t, scope))+under <= limit {
		return func() { c.underWay.Add(-1); c.gate.RUnlock() }, nil
	}
	c.underWay.Add(-1)
	c.gate.RUnlock()

	c.gate.Lock() // nothing is under way now
	if int64(s.Store.Count(t, scope)) >= limit {
		c.gate.Unlock()
		return nil, fault.New(fault.LimitExceeded, fault.ConfigurationSet, "Configuration set limit exceeded.")
	}
	return c.gate.Unlock, nil
}

// List returns up to limit names in order, beginning behind the name after ("" = from the
// first), and whether more follow. limit must be at least 1.
func (s *Service) List(_ context.Context, t tenant.Tenant, scope Scope, after string, limit int) (names []string, more bool, err error) {
	if limit < 1 {
		return nil, false, fault.New(fault.Invalid, fault.ConfigurationSet, "A page has at least 1 configuration set, not %d.", limit)
	}
	names, more = s.Store.List(t, scope, after, limit)
	return names, more, nil
}

// Delete removes the set and its event destinations.
func (s *Service) Delete(ctx context.Context, t tenant.Tenant, scope Scope, name string) error {
	if _, err := s.get(t, scope, name); err != nil {
		return err
	}
	err := s.Store.Delete(ctx, Key{Tenant: t, Scope: scope, Name: name})
	if fault.Is(err, fault.NotFound) {
		return setNotFound(name, err)
	}
	if err != nil {
		return fmt.Errorf("delete configuration set %q: %w", name, err)
	}
	return nil
}

// CreateDestination adds an event destination behind those the set has. Types that are
// given twice count once.
func (s *Service) CreateDestination(ctx context.Context, t tenant.Tenant, scope Scope, set string, d EventDestination) error {
	d, err := s.check(t, scope, d)
	if err != nil {
		return err
	}
	return s.change(ctx, Key{Tenant: t, Scope: scope, Name: set}, func(c *Set) error {
		return s.add(t.Account, c, d)
	})
}

// add puts d, which was checked, behind the event destinations of c.
func (s *Service) add(account string, c *Set, d EventDestination) error {
	if _, ok := c.Destination(d.Name); ok {
		return fault.New(fault.Exists, fault.EventDestination,
			"Event destination <%s> already exists in configuration set <%s>.", d.Name, c.Name)
	}
	limit := s.limits(account).Of(quota.EventDestinations)
	if limit == quota.Unlimited || limit > maxDestinations {
		limit = maxDestinations
	}
	if int64(len(c.Destinations)) >= limit {
		return fault.New(fault.LimitExceeded, fault.EventDestination,
			"Event destination limit exceeded for configuration set <%s>.", c.Name)
	}
	c.Destinations = append(c.Destinations, d)
	return nil
}

// Destinations returns the set's event destinations in the order of their creation. They
// are the caller's own.
func (s *Service) Destinations(_ context.Context, t tenant.Tenant, scope Scope, set string) ([]EventDestination, error) {
	found, err := s.get(t, scope, set)
	if err != nil {
		return nil, err
	}
	return found.Clone().Destinations, nil
}

// UpdateDestination replaces the event destination of d's name by d as a whole. It keeps
// its place in the order.
func (s *Service) UpdateDestination(ctx context.Context, t tenant.Tenant, scope Scope, set string, d EventDestination) error {
	d, err := s.check(t, scope, d)
	if err != nil {
		return err
	}
	return s.change(ctx, Key{Tenant: t, Scope: scope, Name: set}, func(c *Set) error {
		old, ok := c.Destination(d.Name)
		if !ok {
			return destinationNotFound(d.Name, set)
		}
		*old = d
		return nil
	})
}

// DeleteDestination removes an event destination. What is still on its way to it is
// dropped.
func (s *Service) DeleteDestination(ctx context.Context, t tenant.Tenant, scope Scope, set, name string) error {
	if name == "" {
		return checkName(fault.EventDestination, "event destination", name)
	}
	return s.change(ctx, Key{Tenant: t, Scope: scope, Name: set}, func(c *Set) error {
		i := slices.IndexFunc(c.Destinations, func(d EventDestination) bool { return d.Name == name })
		if i < 0 {
			return destinationNotFound(name, set)
		}
		c.Destinations = slices.Delete(c.Destinations, i, i+1)
		return nil
	})
}

// get returns the set as the Store shares it.
func (s *Service) get(t tenant.Tenant, scope Scope, name string) (*Set, error) {
	if name == "" {
		return nil, checkName(fault.ConfigurationSet, "configuration set", name)
	}
	if !nameForm.MatchString(name) { // no such set can exist, and the Store need not cope with the name
		return nil, setNotFound(name, nil)
	}
	set, ok := s.Store.Get(Key{Tenant: t, Scope: scope, Name: name})
	if !ok {
		return nil, setNotFound(name, nil)
	}
	return set, nil
}

// change applies edit to the newest state of a set until no other writer came between.
func (s *Service) change(ctx context.Context, key Key, edit func(*Set) error) error {
	for try := 1; ; try++ {
		found, err := s.get(key.Tenant, key.Scope, key.Name)
		if err != nil {
			return err
		}
		c := found.Clone()
		if err := edit(c); err != nil {
			return err
		}
		err = s.Store.Update(ctx, key, c)
		switch {
		case err == nil:
			return nil
		case fault.Is(err, fault.NotFound):
			return setNotFound(key.Name, err)
		case !errors.Is(err, ErrChanged):
			return fmt.Errorf("change configuration set %q: %w", key.Name, err)
		}
		if err := pause(ctx, try); err != nil {
			return fmt.Errorf("change configuration set %q: %w", key.Name, err)
		}
	}
}

// pause waits a moment that grows with the number of tries, up to 64 ms: another writer
// may be at work, and in a cluster its change may not have arrived here yet.
func pause(ctx context.Context, try int) error {
	timer := time.NewTimer(rand.N(time.Millisecond << min(try, 6)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// counter keeps creations in order: side by side under its read lock, or alone.
type counter struct {
	gate     sync.RWMutex
	underWay atomic.Int64 // creations that hold the read lock
}

func (s *Service) counter(t tenant.Tenant, scope Scope) *counter {
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.String() + "/" + string(scope)))
	return &s.counters[h.Sum32()%uint32(len(s.counters))]
}

func (s *Service) limits(account string) quota.Limits {
	if s.Limits == nil {
		return quota.For(quota.Production, nil)
	}
	return s.Limits(account)
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

func setExists(name string, cause error) error {
	f := fault.New(fault.Exists, fault.ConfigurationSet, "Configuration set <%s> already exists.", name)
	f.Err = cause
	return f
}

func setNotFound(name string, cause error) error {
	f := fault.New(fault.NotFound, fault.ConfigurationSet, "Configuration set <%s> does not exist.", name)
	f.Err = cause
	return f
}

func destinationNotFound(name, set string) error {
	return fault.New(fault.NotFound, fault.EventDestination,
		"Event destination <%s> does not exist in configuration set <%s>.", name, set)
}
