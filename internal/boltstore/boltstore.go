// Package boltstore keeps endpoints, and which words apps have used, in one file: a B+tree of
// bbolt.
//
// Endpoints are millions of small records that are overwritten in place, which is what a
// B+tree is for; the log beside it keeps streams. Changes that wait at the same time are one
// transaction, so that one sync serves them all. A change that was acknowledged survives any
// crash.
//
// The package stores what it is told and holds no rules. Bucket, cursor and page are words of
// this package alone.
package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"tidings/internal/boltfile"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// Options say how a Store is to be run.
type Options struct {
	Path string // of the file, which belongs to the store alone; created if missing
	// MaxBytes bounds what is stored: beyond it only removals are accepted. 0 = 10 GiB.
	MaxBytes int64
	// CacheBytes bounds the memory for endpoints that were read or written lately. It is an
	// estimate. 0 = 64 MiB.
	CacheBytes int64
	Log        *slog.Logger          // nil = none
	Registerer prometheus.Registerer // nil = no metrics
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 10 << 30
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store keeps endpoints. It implements pinpoint.EndpointStore and is safe for concurrent use.
type Store struct {
	opts    Options
	db      *boltfile.File
	cache   *cache
	metrics *metrics

	queue  chan *request // what waits to be written
	stop   context.CancelFunc
	life   context.Context // ends when the store closes
	work   sync.WaitGroup
	closed func() error

	mu      sync.RWMutex
	numbers map[pinpoint.AppKey]number
}

// number stands for an app within keys. It is given at the first change of the app, and never
// again after the app was dropped: so what is left of it belongs to nobody.
type number uint32

// The buckets, and how their keys begin. A number is four bytes, big-endian.
var (
	bucketApps      = []byte("apps")      // account/region/app: number
	bucketEndpoints = []byte("endpoints") // number, ID: the endpoint
	bucketIndex     = []byte("index")     // number, kind, length of text, text, ID: nothing
	bucketWords     = []byte("words")     // number, kind, hash: nothing
	bucketDropped   = []byte("dropped")   // number: nothing
)

// layout is the version of the buckets that this program writes and reads.
const layout = 1

// Open opens the file. The caller closes the Store.
func Open(opts Options) (*Store, error) {
	opts = opts.withDefaults()
	db, err := boltfile.Open(opts.Path, "endpoints", layout, bbolt.Options{FreelistType: bbolt.FreelistMapType},
		bucketApps, bucketEndpoints, bucketIndex, bucketWords, bucketDropped)
	if err != nil {
		return nil, err
	}
	s := &Store{opts: opts, db: db, cache: newCache(opts.CacheBytes), queue: make(chan *request, maxWaiting)}
	if err := s.readNumbers(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if s.metrics, err = newMetrics(s, opts.Registerer); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.life, s.stop = context.WithCancel(context.Background())
	s.closed = sync.OnceValue(s.close)
	s.work.Go(s.write)
	return s, nil
}

// readNumbers reads the numbers of the apps.
func (s *Store) readNumbers() error {
	numbers := map[pinpoint.AppKey]number{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketApps).ForEach(func(k, v []byte) error {
			app, ok := parseApp(string(k))
			if !ok || len(v) != 4 {
				return fmt.Errorf("%q is no key of an app", k)
			}
			numbers[app] = number(binary.BigEndian.Uint32(v))
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("read the apps of %s: %w", s.opts.Path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers = numbers
	return nil
}

// Close stops the writer and closes the file. What was not acknowledged fails with
// fault.Unavailable. It may be called twice.
func (s *Store) Close() error { return s.closed() }

func (s *Store) close() error {
	s.stop()
	s.work.Wait()
	s.metrics.unregister()
	return s.db.Close()
}

// number returns the app's number; 0 = it has none.
func (s *Store) number(app pinpoint.AppKey) number {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.numbers[app]
}

// Endpoint returns the endpoint; nil = there is none. It is shared and must not be changed.
func (s *Store) Endpoint(_ context.Context, app pinpoint.AppKey, id string) (*pinpoint.Endpoint, error) {
	n := s.number(app)
	if n == 0 {
		return nil, nil
	}
	key := cacheKey{n, id}
	e, era := s.cache.get(key)
	if e != nil {
		return e, nil
	}
	size := 0
	err := s.db.Read(func(tx *bbolt.Tx) (err error) {
		value := tx.Bucket(bucketEndpoints).Get(endpointKey(n, id))
		size = len(value)
		e, err = decodeEndpoint(app.App, id, value)
		return err
	})
	if err != nil || e == nil {
		return nil, err
	}
	s.cache.fill(key, e, size, era)
	return e, nil
}

// OfUser returns the user's endpoints in the order of their IDs, at most limit. They are shared
// and must not be changed.
func (s *Store) OfUser(_ context.Context, app pinpoint.AppKey, user string, limit int) ([]*pinpoint.Endpoint, error) {
	n := s.number(app)
	if n == 0 {
		return nil, nil
	}
	var all []*pinpoint.Endpoint
	err := s.db.Read(func(tx *bbolt.Tx) error {
		for _, id := range indexed(tx, n, indexUser, user, limit) {
			e, err := decodeEndpoint(app.App, id, tx.Bucket(bucketEndpoints).Get(endpointKey(n, id)))
			if err != nil {
				return err
			}
			if e != nil {
				all = append(all, e)
			}
		}
		return nil
	})
	return all, err
}

// Words returns the words that the app has used, in no order.
func (s *Store) Words(_ context.Context, app pinpoint.AppKey) ([]pinpoint.Word, error) {
	n := s.number(app)
	if n == 0 {
		return nil, nil
	}
	var words []pinpoint.Word
	err := s.db.Read(func(tx *bbolt.Tx) error {
		return eachKey(tx.Bucket(bucketWords), n.bytes(), func(k []byte) error {
			if len(k) != wordKeyLength {
				return fmt.Errorf("a word has a key of %d bytes instead of %d", len(k), wordKeyLength)
			}
			words = append(words, pinpoint.Word{Kind: pinpoint.WordKind(k[4]), Hash: binary.BigEndian.Uint64(k[5:])})
			return nil
		})
	})
	return words, err
}

func parseApp(s string) (app pinpoint.AppKey, ok bool) {
	account, rest, ok1 := cut(s)
	region, id, ok2 := cut(rest)
	return pinpoint.AppKey{Tenant: tenant.Tenant{Account: account, Region: region}, App: id}, ok1 && ok2
}
