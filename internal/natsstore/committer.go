package natsstore

import (
	"context"
	"sync"

	"tidings/internal/fault"
)

// committer writes records in packs: one pack at a time is on its way to the disk, and
// what arrives meanwhile gathers in the next. So a lone record goes at once, and many
// share a sync.
type committer struct {
	// store writes one pack durably and returns its sequence.
	store func(ctx context.Context, body []byte, count int) (uint64, error)

	mu     sync.Mutex
	queue  []*commit
	wake   chan struct{}
	closed bool
}

// commit is a pack that gathers, or is on its way.
type commit struct {
	body  []byte
	count int
	done  chan struct{}
	seq   uint64 // valid, like err, once done is closed
	err   error
}

// maxQueuedPacks bounds what waits behind a slow disk. Callers that gave up leave their
// records behind.
const maxQueuedPacks = 64

func newCommitter(store func(context.Context, []byte, int) (uint64, error)) *committer {
	return &committer{store: store, wake: make(chan struct{}, 1)}
}

// commit stores count records, encoded in body, as one: all of them or none. It returns
// when they are on disk. When ctx ends first it returns the context's error, and the
// records may still be stored.
func (c *committer) commit(ctx context.Context, body []byte, count int) error {
	p, err := c.add(body, count)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *committer) add(body []byte, count int) (*commit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, closedFault()
	}
	if n := len(c.queue); n > 0 {
		p := c.queue[n-1]
		if p.count+count <= maxPackRecords && len(p.body)+len(body) <= maxPackBytes {
			p.body = append(p.body, body...)
			p.count += count
			return p, nil
		}
		if n >= maxQueuedPacks {
			return nil, fault.New(fault.Unavailable, "", "The storage is too slow to accept more. Try again.")
		}
	}
	p := &commit{body: body, count: count, done: make(chan struct{})}
	c.queue = append(c.queue, p)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return p, nil
}

// run writes packs until ctx ends; then it fails what still waits.
func (c *committer) run(ctx context.Context) {
	for {
		p := c.take(ctx)
		if p == nil {
			c.close()
			return
		}
		p.seq, p.err = c.store(ctx, p.body, p.count)
		p.body = nil
		close(p.done)
	}
}

// take returns the first pack; nil = ctx has ended.
func (c *committer) take(ctx context.Context) *commit {
	for {
		if ctx.Err() != nil {
			return nil
		}
		c.mu.Lock()
		if len(c.queue) > 0 {
			p := c.queue[0]
			c.queue[0] = nil
			c.queue = c.queue[1:]
			c.mu.Unlock()
			return p
		}
		c.queue = nil
		c.mu.Unlock()
		select {
		case <-c.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *committer) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, p := range c.queue {
		p.err = closedFault()
		close(p.done)
	}
	c.queue = nil
}
