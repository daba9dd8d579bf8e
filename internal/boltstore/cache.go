package boltstore

import (
	"hash/maphash"
	"sync"

	"tidings/internal/pinpoint"
)

// cache has the endpoints that were read or written lately. What was written is put in by the
// one writer, in the order of its commits; what was read is put in only if nothing was written
// meanwhile, so that it never is older than what is on disk.
type cache struct {
	seed   maphash.Seed
	limit  int64 // of each shard, in bytes
	shards [64]shard
}

type cacheKey struct {
	app number
	id  string
}

type shard struct {
	mu    sync.RWMutex
	of    map[cacheKey]cached
	bytes int64
	era   uint64 // rises with every write
}

type cached struct {
	endpoint *pinpoint.Endpoint
	size     int64
}

// What an endpoint takes in memory, of which its size on disk is all that is known: the struct,
// the entry, its strings and their headers, and its JSON for records.
const (
	fixedSize   = 1024
	perByteSize = 4
)

func newCache(limit int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	c.limit = limit / int64(len(c.shards))
	for i := range c.shards {
		c.shards[i].of = map[cacheKey]cached{}
	}
	return c
}

func (c *cache) shard(key cacheKey) *shard {
	return &c.shards[(maphash.String(c.seed, key.id)+uint64(key.app))%uint64(len(c.shards))]
}

// get returns the endpoint, or nil and the era in which it is not there.
func (c *cache) get(key cacheKey) (*pinpoint.Endpoint, uint64) {
	sh := c.shard(key)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.of[key].endpoint, sh.era
}

// fill puts in what was read from the disk since that era.
func (c *cache) fill(key cacheKey, e *pinpoint.Endpoint, size int, era uint64) {
	sh := c.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.era == era {
		sh.put(key, e, size, c.limit)
	}
}

// written puts in what was written; nil = it was removed.
func (c *cache) written(key cacheKey, e *pinpoint.Endpoint, size int) {
	sh := c.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.era++
	if e == nil {
		sh.drop(key)
		return
	}
	sh.put(key, e, size, c.limit)
}

// clear forgets everything.
func (c *cache) clear() {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		sh.era++
		clear(sh.of)
		sh.bytes = 0
		sh.mu.Unlock()
	}
}

func (sh *shard) put(key cacheKey, e *pinpoint.Endpoint, size int, limit int64) {
	sh.drop(key)
	n := int64(fixedSize + perByteSize*size)
	for other := range sh.of { // in no order: which one goes is left to chance
		if sh.bytes+n <= limit {
			break
		}
		sh.drop(other)
	}
	if n > limit {
		return
	}
	sh.of[key] = cached{e, n}
	sh.bytes += n
}

func (sh *shard) drop(key cacheKey) {
	sh.bytes -= sh.of[key].size
	delete(sh.of, key)
}
