package natsstore

import (
	"maps"
	"slices"
	"sync"

	"tidings/internal/configset"
	"tidings/internal/tenant"
)

// setIndex is all configuration sets in memory. News come twice, from the writer and from
// the bucket, and in any order: the higher revision of a key wins.
type setIndex struct {
	mu    sync.RWMutex
	sets  map[configset.Key]*configset.Set
	names map[scopeOf][]string // sorted
	// gone has the revision of the marker of each deleted key, as long as one may be in
	// the bucket: it keeps an older put that arrives late from bringing the set back.
	gone map[configset.Key]uint64
}

// scopeOf is where names are unique.
type scopeOf struct {
	tenant tenant.Tenant
	scope  configset.Scope
}

// maxMarkers bounds gone: beyond it markers are forgotten, in no order. A forgotten one
// costs the creation of a set of that name a second attempt.
const maxMarkers = 100_000

func newSetIndex() *setIndex {
	return &setIndex{
		sets:  map[configset.Key]*configset.Set{},
		names: map[scopeOf][]string{},
		gone:  map[configset.Key]uint64{},
	}
}

func (x *setIndex) get(key configset.Key) (*configset.Set, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s, ok := x.sets[key]
	return s, ok
}

// marker returns the revision of the marker that the key's deletion has left; 0 = none is
// known.
func (x *setIndex) marker(key configset.Key) uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.gone[key]
}

func (x *setIndex) count(t tenant.Tenant, scope configset.Scope) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.names[scopeOf{t, scope}])
}

func (x *setIndex) list(t tenant.Tenant, scope configset.Scope, after string, limit int) (names []string, more bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := x.names[scopeOf{t, scope}]
	i, found := slices.BinarySearch(all, after)
	if found {
		i++
	}
	end := min(i+max(limit, 0), len(all))
	return slices.Clone(all[i:end]), end < len(all)
}

// all returns every set with its key, in no order.
func (x *setIndex) all() map[configset.Key]*configset.Set {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return maps.Clone(x.sets)
}

func (x *setIndex) put(key configset.Key, s *configset.Set) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone[key] > s.Revision {
		return
	}
	have, ok := x.sets[key]
	if ok && have.Revision >= s.Revision {
		return
	}
	delete(x.gone, key)
	x.sets[key] = s
	if !ok {
		in := scopeOf{key.Tenant, key.Scope}
		if i, found := slices.BinarySearch(x.names[in], key.Name); !found {
			x.names[in] = slices.Insert(x.names[in], i, key.Name)
		}
	}
}

func (x *setIndex) remove(key configset.Key, revision uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if have, ok := x.sets[key]; ok && have.Revision > revision {
		return
	}
	if len(x.gone) >= maxMarkers {
		for k := range x.gone {
			delete(x.gone, k)
			break
		}
	}
	x.gone[key] = max(x.gone[key], revision)
	delete(x.sets, key)
	in := scopeOf{key.Tenant, key.Scope}
	if i, found := slices.BinarySearch(x.names[in], key.Name); found {
		x.names[in] = slices.Delete(x.names[in], i, i+1)
		if len(x.names[in]) == 0 {
			delete(x.names, in)
		}
	}
}
