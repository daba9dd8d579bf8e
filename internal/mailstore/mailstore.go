// Package mailstore keeps mails until they have their outcome, the heads of those that were sent, and what accounts have told of
// themselves, in one file: a B+tree of bbolt.
//
// Mails wait for days, are as large as 40 MiB, and are taken by the time of their next attempt, which is what a B+tree beside a heap
// in memory is for. Their IDs begin with the time, so that new ones lie side by side. Changes that wait at the same time are
// one transaction, so that one commit serves them all. What was acknowledged survives any crash.
//
// The package stores what it is told and holds no rules. Bucket, cursor and page are words of this package alone.
package mailstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"tidings/internal/boltfile"
	"tidings/internal/email"
)

// Options say how a Store is to be run.
type Options struct {
	Path string // of the file, which belongs to the store alone; created if missing
	// MaxBytes bounds the used pages of the file: beyond it no mail and no template is accepted, while outcomes, removals and
	// the small records of accounts still are. 0 = 10 GiB.
	MaxBytes int64
	// KeepHeads is how long a mail is remembered after it was accepted. 0 = 60 days.
	KeepHeads time.Duration
	// KeepHeadsBytes bounds what is remembered: beyond it the oldest heads go first. 0 = a quarter of MaxBytes.
	KeepHeadsBytes int64
	// MemoryBytes bounds the memory for mails that were accepted lately, so that they need not be read back for their first
	// attempt. It is an estimate. 0 = 64 MiB.
	MemoryBytes int64
	Log         *slog.Logger          // nil = none
	Registerer  prometheus.Registerer // nil = no metrics
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 10 << 30
	}
	if o.KeepHeads == 0 {
		// Links in mails lead somewhere for as long. Source: SES Developer Guide, "Open and click tracking FAQs".
		o.KeepHeads = 60 * 24 * time.Hour
	}
	if o.KeepHeadsBytes == 0 {
		o.KeepHeadsBytes = o.MaxBytes / 4
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store keeps mails and what accounts have told of themselves. It implements email.Spool and email.Registry and is safe for
// concurrent use. For each mail that waits it holds about 170 bytes of memory, and all identities.
type Store struct {
	opts    Options
	db      *boltfile.File
	metrics *metrics

	changes chan *change // what is to be written
	broken  time.Time    // when the disk last refused mails; the writer's own
	swept   []byte       // the head that the writer has looked at last, when it looked for old ones
	stop    context.CancelFunc
	life    context.Context // ends when the store closes
	writing sync.WaitGroup  // the writer
	tidying sync.WaitGroup  // who has old things removed
	closed  func() error

	spool      *spool
	templates  *templateCache
	identities *identities
	settings   *settings
	counts     *counts
}

// The buckets. OWNER is account/region/.
var (
	bucketHeads      = []byte("heads")          // ID: when it was accepted, the message
	bucketBodies     = []byte("bodies")         // ID: the content of a mail that waits
	bucketStates     = []byte("states")         // ID: the state of a mail that waits, unless it is new
	bucketTemplates  = []byte("templates")      // OWNER name: a template without its parts
	bucketParts      = []byte("template-parts") // OWNER name: its parts
	bucketIdentities = []byte("identities")     // OWNER name: an identity
	bucketSuppressed = []byte("suppressed")     // OWNER address: why and since when
	bucketSettings   = []byte("settings")       // OWNER: the settings
	bucketCounts     = []byte("counts")         // OWNER begin of the span: its counts
)

// layout is the version of the buckets that this program writes and reads.
const layout = 1

// keyHeads is in the bucket that each file has.
var keyHeads = []byte("heads")

// Open opens the file. The caller closes the Store. After a crash the whole file is looked through for its free pages.
func Open(opts Options) (*Store, error) {
	opts = opts.withDefaults()
	db, err := boltfile.Open(opts.Path, "mails", layout, bbolt.Options{
		FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapSize(opts.MaxBytes),
		// The list of free pages grows to megabytes when a full spool drains, and would be written with every commit. It is
		// written when the store closes, and found again after a crash.
		NoFreelistSync: true,
	}, bucketHeads, bucketBodies, bucketStates, bucketTemplates, bucketParts, bucketIdentities, bucketSuppressed, bucketSettings, bucketCounts)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts: opts, db: db, changes: make(chan *change, maxWaiting), spool: newSpool(opts.MemoryBytes), templates: newTemplateCache(),
		identities: newIdentities(), settings: newSettings(), counts: newCounts(),
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", opts.Path, err), db.Close())
	}
	if s.metrics, err = newMetrics(s, opts.Registerer); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.life, s.stop = context.WithCancel(context.Background())
	s.closed = sync.OnceValue(s.close)
	s.writing.Go(s.write)
	s.tidying.Go(s.tidy)
	return s, nil
}

// mapSize is how much of the address space is taken for the file at once: to take more later stops everybody. Where addresses are
// few, or a map makes the file as large, it is left to bbolt.
func mapSize(maxBytes int64) int {
	if runtime.GOOS == "windows" || math.MaxInt == math.MaxInt32 {
		return 0
	}
	return int(min(maxBytes+maxBytes/4, 1<<40))
}

// prepare reads what is held in memory.
func (s *Store) prepare() error {
	return s.db.View(func(tx *bbolt.Tx) error {
		for _, read := range []func(tx *bbolt.Tx) error{s.spool.read, s.identities.read, s.settings.read, s.counts.read} {
			if err := read(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close writes what waits to be written and closes the file. What was not acknowledged fails with fault.Unavailable. It may be
// called twice.
func (s *Store) Close() error { return s.closed() }

func (s *Store) close() error {
	s.stop()
	s.tidying.Wait()
	s.writing.Wait()
	s.spool.stop()
	s.metrics.unregister()
	changed := s.counts.take(time.Now())
	s.db.NoFreelistSync = false // so that the next Open need not look through the file
	err := s.db.Update(func(tx *bbolt.Tx) error { return writeCounts(&batch{store: s, tx: tx}, changed) })
	if err != nil {
		err = fmt.Errorf("write counts and the list of free pages: %w", err)
	}
	return errors.Join(err, s.db.Close())
}

var (
	_ email.Spool    = (*Store)(nil)
	_ email.Registry = (*Store)(nil)
)
