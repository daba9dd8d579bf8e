package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"go.etcd.io/bbolt"

	"tidings/internal/boltfile"
	"tidings/internal/pinpoint"
)

// request is a change, or the dropping of an app, that waits to be written.
type request struct {
	app  pinpoint.AppKey
	edit func(tx pinpoint.EndpointTx) error // nil = drop the app
	done chan error
}

const (
	// maxWaiting bounds what waits to be written; beyond it callers wait to be heard.
	maxWaiting = 1024
	// maxTogether bounds the endpoints of a transaction, and so its memory and its length.
	maxTogether = 4096
)

// Change calls edit and returns once what it has done is on disk: all of it or nothing. It
// fails with fault.Unavailable when there is no room, when the disk refuses, and at shutdown.
// When ctx ends before, what edit has done may be kept.
func (s *Store) Change(ctx context.Context, app pinpoint.AppKey, edit func(tx pinpoint.EndpointTx) error) error {
	return s.commit(ctx, &request{app: app, edit: edit, done: make(chan error, 1)})
}

// Drop removes all that is kept of the app. It is gone for readers at once, and from the disk
// bit by bit, even over a restart.
func (s *Store) Drop(ctx context.Context, app pinpoint.AppKey) error {
	return s.commit(ctx, &request{app: app, done: make(chan error, 1)})
}

func (s *Store) commit(ctx context.Context, r *request) error {
	if s.life.Err() != nil {
		return boltfile.Closed()
	}
	select {
	case s.queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return boltfile.Closed()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
	}
	// The writer answers everything that it has taken before it ends.
	s.work.Wait()
	select {
	case err := <-r.done:
		return err
	default:
		return boltfile.Closed()
	}
}

// write writes until the store closes: what waits is one transaction. While nothing waits it
// clears away what was dropped.
func (s *Store) write() {
	rubbish := true
	for {
		var first *request
		if rubbish {
			select {
			case <-s.life.Done():
				return
			case first = <-s.queue:
			default:
			}
		} else {
			select {
			case <-s.life.Done():
				return
			case first = <-s.queue:
			}
		}
		rubbish = s.batch(first)
	}
}

// batch writes one transaction, with first and what waits behind it, and reports whether there
// is something left to be cleared away. first may be nil.
func (s *Store) batch(first *request) (rubbish bool) {
	began := time.Now()
	b := &batch{store: s, changed: map[cacheKey]changed{}, numbers: map[pinpoint.AppKey]number{}}
	var answers []answer
	err := s.db.Update(func(tx *bbolt.Tx) (err error) {
		b.tx = tx
		b.full = s.db.Used(tx) >= s.opts.MaxBytes
		for r := first; r != nil; r = s.more(b) {
			refusal, err := b.take(r)
			answers = append(answers, answer{r, refusal})
			if err != nil {
				return err
			}
		}
		if rubbish, err = b.clear(); err == nil && !b.dirty {
			return errNothing // spares the sync
		}
		return err
	})
	switch {
	case err == nil:
		s.publish(b)
	case errors.Is(err, errNothing):
		err = nil
	default:
		err = s.broken(err)
	}
	if first != nil {
		s.metrics.committed(time.Since(began), len(b.changed))
	}
	for _, a := range answers {
		if a.refusal == nil {
			a.refusal = err
		}
		a.to.done <- a.refusal
	}
	return rubbish && err == nil
}

// errNothing rolls a transaction back that has changed nothing.
var errNothing = errors.New("nothing has changed")

// answer is what a request is told, unless the transaction fails.
type answer struct {
	to      *request
	refusal error
}

// more takes the next request that waits, unless the batch is large enough.
func (s *Store) more(b *batch) *request {
	if len(b.changed) >= maxTogether {
		return nil
	}
	select {
	case r := <-s.queue:
		return r
	default:
		return nil
	}
}

// broken turns the failure of a transaction into what callers may know. Whether the last page
// was written is not known, so nothing that is in memory counts any more.
func (s *Store) broken(err error) error {
	s.opts.Log.Error("endpoints cannot be written", "err", err)
	s.cache.clear()
	if again := s.readNumbers(); again != nil {
		err = errors.Join(err, again)
	}
	return s.db.Refused(err)
}

// publish makes the batch visible to readers.
func (s *Store) publish(b *batch) {
	if len(b.numbers) > 0 {
		s.mu.Lock()
		for app, n := range b.numbers {
			if n == 0 {
				delete(s.numbers, app)
			} else {
				s.numbers[app] = n
			}
		}
		s.mu.Unlock()
	}
	for key, c := range b.changed {
		s.cache.written(key, c.endpoint, c.size)
	}
}

// batch is a transaction under way.
type batch struct {
	store   *Store
	tx      *bbolt.Tx
	full    bool // only removals are accepted
	dirty   bool // something has changed
	changed map[cacheKey]changed
	numbers map[pinpoint.AppKey]number // that were given; 0 = the app was dropped
}

// changed is an endpoint as the batch has left it; nil = removed.
type changed struct {
	endpoint *pinpoint.Endpoint
	size     int
}

// number returns the app's number within the batch; 0 = none.
func (b *batch) number(app pinpoint.AppKey) number {
	if n, ok := b.numbers[app]; ok {
		return n
	}
	return b.store.number(app)
}

// take does one request. A refusal is for its caller alone; an error ends the batch.
func (b *batch) take(r *request) (refusal, err error) {
	if r.edit == nil {
		return nil, b.drop(r.app)
	}
	t := &transaction{batch: b, app: r.app, number: b.number(r.app), changed: map[string]*pinpoint.Endpoint{}}
	if refusal := r.edit(t); refusal != nil {
		return refusal, nil
	}
	if b.full && t.adds {
		return b.store.db.Full(nil), nil
	}
	return nil, t.flush()
}

// give gives the app a number.
func (b *batch) give(app pinpoint.AppKey) (number, error) {
	apps := b.tx.Bucket(bucketApps)
	seq, err := apps.NextSequence()
	if err != nil {
		return 0, err
	}
	if seq > math.MaxUint32 {
		return 0, errors.New("there are no numbers left for apps")
	}
	n := number(seq)
	b.numbers[app] = n
	return n, apps.Put(appKey(app), n.bytes())
}

func (b *batch) drop(app pinpoint.AppKey) error {
	n := b.number(app)
	if n == 0 {
		return nil
	}
	b.numbers[app], b.dirty = 0, true
	if err := b.tx.Bucket(bucketApps).Delete(appKey(app)); err != nil {
		return err
	}
	return b.tx.Bucket(bucketDropped).Put(n.bytes(), nil)
}

// maxCleared bounds how many keys of dropped apps a transaction removes.
const maxCleared = 1000

// clear removes a part of what was dropped and reports whether there is more.
func (b *batch) clear() (more bool, err error) {
	dropped := b.tx.Bucket(bucketDropped)
	k, _ := dropped.Cursor().First()
	if k == nil {
		return false, nil
	}
	b.dirty = true
	prefix := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(k))
	left := maxCleared
	for _, name := range [][]byte{bucketEndpoints, bucketIndex, bucketWords} {
		bucket := b.tx.Bucket(name)
		for _, key := range firstKeys(bucket, prefix, left) {
			if err := bucket.Delete(key); err != nil {
				return false, fmt.Errorf("clear away: %w", err)
			}
			left--
		}
	}
	if left > 0 {
		return true, dropped.Delete(prefix)
	}
	return true, nil
}

// errEnough ends a visit of keys.
var errEnough = errors.New("enough")

// firstKeys returns copies of up to limit keys that begin with the prefix: those of a bucket
// must not be used while it is changed.
func firstKeys(b *bbolt.Bucket, prefix []byte, limit int) (keys [][]byte) {
	_ = eachKey(b, prefix, func(k []byte) error {
		if len(keys) == limit {
			return errEnough
		}
		keys = append(keys, append([]byte(nil), k...))
		return nil
	})
	return keys
}

var _ pinpoint.EndpointStore = (*Store)(nil)
