package apitest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"tidings/internal/configset"
	"tidings/internal/tenant"
)

// errDisk is what a broken store fails with.
var errDisk = errors.New("write pack 17: no space left on device")

// Store is a configset.Store in memory. It is safe for concurrent use once its fields are set.
type Store struct {
	Broken error // what writes fail with; nil = they do not

	mu   sync.Mutex
	sets map[configset.Key]*configset.Set
}

// NewStore makes an empty Store.
func NewStore() *Store { return &Store{sets: map[configset.Key]*configset.Set{}} }

// Keys returns the keys of all sets, in no order.
func (s *Store) Keys() []configset.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.sets))
}

// Get returns the set of that key.
func (s *Store) Get(key configset.Key) (*configset.Set, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, ok := s.sets[key]
	return set, ok
}

// List returns up to limit names behind after, in alphabetical order.
func (s *Store) List(t tenant.Tenant, scope configset.Scope, after string, limit int) (names []string, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.sets {
		if key.Tenant == t && key.Scope == scope && key.Name > after {
			names = append(names, key.Name)
		}
	}
	slices.Sort(names)
	return names[:min(limit, len(names))], len(names) > limit
}

// Count returns how many sets there are.
func (s *Store) Count(t tenant.Tenant, scope configset.Scope) int {
	names, _ := s.List(t, scope, "", 1<<30)
	return len(names)
}

// Create puts a set into the store.
func (s *Store) Create(_ context.Context, key configset.Key, set *configset.Set) error {
	return s.put(key, set)
}

// Update puts a set in the place of the one with its key.
func (s *Store) Update(_ context.Context, key configset.Key, set *configset.Set) error {
	return s.put(key, set)
}

func (s *Store) put(key configset.Key, set *configset.Set) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Broken == nil {
		s.sets[key] = set
	}
	return s.Broken
}

// Delete takes a set out of the store.
func (s *Store) Delete(_ context.Context, key configset.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sets, key)
	return s.Broken
}
