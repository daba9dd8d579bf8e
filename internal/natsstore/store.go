// Package natsstore keeps everything that must survive a crash, in a NATS JetStream server
// that runs inside this process and listens on no port.
//
// Every write is on the disk when it returns. Writes that wait at the same time are
// packed into one JetStream message, so that one sync serves them all. The event log is
// the state of the calls: what a call has done is what the log says of it.
//
// The package stores what it is told and holds no rules. Stream, consumer, bucket and
// subject are words of this package alone.
package natsstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/fault"
)

// Options say how a Store is to be run.
type Options struct {
	Dir string // directory that belongs to the store alone; created if missing
	// MaxBytes bounds all that is stored. 0 = 10 GiB.
	MaxBytes int64
	// ReserveBytes of free disk space are left for the events of what was accepted
	// before: below them nothing new is accepted. 0 = 64 MiB.
	ReserveBytes int64
	// KeepEvents is how long events stay in the log after their delivery. 0 = 7 days.
	KeepEvents time.Duration
	// KeepEventsBytes is how much of the log stays after its delivery. 0 = half of MaxBytes.
	KeepEventsBytes int64
	// KeepMessages is how long messages stay for Accepted after their calls have ended.
	// 0 = not at all.
	KeepMessages time.Duration
	Log          *slog.Logger          // nil = none
	Registerer   prometheus.Registerer // nil = no metrics
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 10 << 30
	}
	if o.ReserveBytes == 0 {
		o.ReserveBytes = 64 << 20
	}
	if o.KeepEvents == 0 {
		o.KeepEvents = 7 * 24 * time.Hour
	}
	if o.KeepEventsBytes == 0 {
		o.KeepEventsBytes = o.MaxBytes / 2
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// tuning is what tests set otherwise.
type tuning struct {
	ackWait time.Duration // after which the server hands out again what nobody claims
	guard   time.Duration // between two looks at the disk
	janitor time.Duration // between two sweeps
	stuck   time.Duration // after which a server that does not answer is given up
	usage   func(*session) int64
}

func defaultTuning() tuning {
	return tuning{
		ackWait: 30 * time.Second, guard: 250 * time.Millisecond, janitor: time.Second, stuck: 30 * time.Second,
		usage: func(sess *session) int64 { return int64(sess.srv.GlobalAccount().JetStreamUsage().Store) },
	}
}

var (
	errSessionClosed  = errors.New("the embedded server was stopped")
	errConnectionLost = errors.New("the connection to the embedded server was lost")
	errDisabled       = errors.New("the embedded server has disabled JetStream")
)

// Store is the durable engine. It is safe for concurrent use.
type Store struct {
	opts  Options
	tune  tuning
	log   *slog.Logger
	space *space

	messages *Messages
	events   *Events
	parking  *Parking
	letters  *DeadLetters
	sets     *ConfigurationSets
	apps     *Apps

	life   context.Context // ends when the store closes
	stop   context.CancelFunc
	work   sync.WaitGroup // goroutines that end with life
	once   sync.Once
	doubts chan struct{} // a look at the server's health is due

	lastEvent atomic.Uint64 // last sequence of the event log that is known
	packs     packIDs

	mu      sync.Mutex
	sess    *session      // nil while there is none
	changed chan struct{} // closed and replaced whenever sess changes
	closed  bool
	failed  error // why the store ended by itself; nil = it has not

	sizes sizes
}

// Open starts the engine on its directory and waits until configuration sets and apps
// can be read.
// The caller runs Run beside it, and closes it when Run is never called.
func Open(ctx context.Context, opts Options) (*Store, error) {
	return open(ctx, opts, defaultTuning())
}

func open(ctx context.Context, opts Options, tune tuning) (*Store, error) {
	opts = opts.withDefaults()
	s := &Store{
		opts: opts, tune: tune, log: opts.Log,
		space:   newSpace(opts),
		doubts:  make(chan struct{}, 1),
		changed: make(chan struct{}),
		packs:   newPackIDs(),
	}
	s.life, s.stop = context.WithCancel(context.Background())
	s.messages, s.events = newMessages(s), newEvents(s)
	s.parking, s.letters, s.sets = &Parking{store: s}, &DeadLetters{store: s}, newConfigurationSets(s)
	s.apps = newApps(s)
	if err := s.register(opts.Registerer); err != nil {
		s.stop()
		return nil, err
	}
	sess, err := s.openSession(ctx)
	if err != nil {
		s.stop()
		return nil, err
	}
	s.publishSession(sess)
	if err := errors.Join(s.sets.watch(ctx, sess), s.apps.watch(ctx, sess)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.spawn(func() { s.messages.committer.run(s.life) })
	s.spawn(func() { s.events.committer.run(s.life) })
	return s, nil
}

// ConfigurationSets returns the store of configuration sets.
func (s *Store) ConfigurationSets() *ConfigurationSets { return s.sets }

// Messages returns the queue of accepted messages.
func (s *Store) Messages() *Messages { return s.messages }

// Events returns the event log.
func (s *Store) Events() *Events { return s.events }

// Parking returns the lot for the deliveries of subscribers in trouble.
func (s *Store) Parking() *Parking { return s.parking }

// DeadLetters returns the morgue.
func (s *Store) DeadLetters() *DeadLetters { return s.letters }

// Run keeps the store in order until ctx ends, and closes it then: it watches the disk,
// heals the server, purges what need not be kept, and claims what is in hand. It ends by
// itself, with an error, if the server is stuck: then the process has to be started again.
func (s *Store) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	s.spawn(func() { s.guard(ctx) })
	s.spawn(func() { every(ctx, s.tune.janitor, func() { s.sweep(ctx, time.Now()) }) })
	s.spawn(func() {
		every(ctx, s.tune.ackWait/3, func() {
			s.messages.inbox.claim()
			s.events.inbox.claim()
		})
	})
	<-ctx.Done()
	err := s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.failed, err)
}

// every calls f in intervals until ctx ends.
func every(ctx context.Context, interval time.Duration, f func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// spawn starts a goroutine that Close waits for; after Close it starts none.
func (s *Store) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.work.Go(f)
	}
}

// Close stops the engine. What was not acknowledged to a caller fails with
// fault.Unavailable; messages and events in hand are given back. It may be called twice.
//
// It fails if the embedded server cannot be stopped; then only the end of the process ends it.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.stop()
		s.work.Wait()
		if sess := s.publishSession(nil); sess != nil {
			s.messages.inbox.giveBack(sess)
			s.events.inbox.giveBack(sess)
			if !sess.close(s.tune.stuck) {
				err = errStuck
			}
		}
		s.unregister(s.opts.Registerer)
	})
	return err
}

// publishSession makes sess the current one and returns the former.
func (s *Store) publishSession(sess *session) *session {
	if sess != nil {
		s.lastEvent.Store(max(s.lastEvent.Load(), sess.last[streamEvents]))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	former := s.sess
	s.sess = sess
	close(s.changed)
	s.changed = make(chan struct{})
	return former
}

// session returns the current session, or a fault if there is none.
func (s *Store) session() (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sess != nil && s.sess.ctx.Err() == nil {
		return s.sess, nil
	}
	if s.life.Err() != nil {
		return nil, closedFault()
	}
	return nil, reopeningFault(nil)
}

// await waits for a session other than former. It fails when ctx or the store ends.
func (s *Store) await(ctx context.Context, former *session) (*session, error) {
	for {
		s.mu.Lock()
		sess, changed := s.sess, s.changed
		s.mu.Unlock()
		if sess != nil && sess != former && sess.ctx.Err() == nil {
			return sess, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.life.Done():
			return nil, closedFault()
		case <-changed:
		}
	}
}

// doubt asks for a look at the server's health, soon.
func (s *Store) doubt() {
	select {
	case s.doubts <- struct{}{}:
	default:
	}
}

func closedFault() error {
	return fault.New(fault.Unavailable, "", "The service is shutting down. Try again.")
}

func reopeningFault(cause error) error {
	f := fault.New(fault.Unavailable, "", "The storage is being reopened after a failure. Try again in a few seconds.")
	f.Err = cause
	return f
}

func fullFault(cause error) error {
	f := fault.New(fault.Unavailable, "", "The storage is full, so nothing can be accepted. Try again later.")
	f.Err = cause
	return f
}
