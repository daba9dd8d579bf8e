package fanout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tidings/internal/sink"
)

// Settings are the choices of a Courier. A zero field means its default.
type Settings struct {
	Timeout    time.Duration // of one attempt, which carries one batch; 30 s
	Backoff    time.Duration // the pause after a first failure; 1 s
	BackoffMax time.Duration // the longest pause; 5 min
	GiveUp     time.Duration // since the first failure, until a delivery becomes a dead letter; 24 h
	Slow       time.Duration // how long a flight of batches may hold deliveries that are not on disk; 1 s
	ParkDelay  time.Duration // how long deliveries are collected before they are parked; 1 s
	Drain      time.Duration // how long attempts may go on after the end of Run's context; 5 s

	// Concurrency is how many attempts at one destination may be under way together; 32.
	// How many are is learned, beginning with one.
	Concurrency int

	QueueCount int // deliveries waiting in memory per subscriber; 10,000
	QueueBytes int // their size; 8 MiB
	TotalCount int // deliveries in memory, over all subscribers; 250,000
	TotalBytes int // their size; 256 MiB. What is under way may take a quarter of that beside it
	ParkCount  int // deliveries that are parked together; 1,000
	ParkBytes  int // their size; 512 KiB
}

func (s Settings) withDefaults() Settings {
	orDuration(&s.Timeout, 30*time.Second)
	orDuration(&s.Backoff, time.Second)
	orDuration(&s.BackoffMax, 5*time.Minute)
	orDuration(&s.GiveUp, 24*time.Hour)
	orDuration(&s.Slow, time.Second)
	orDuration(&s.ParkDelay, time.Second)
	orDuration(&s.Drain, 5*time.Second)
	orCount(&s.Concurrency, 32)
	orCount(&s.QueueCount, 10_000)
	orCount(&s.QueueBytes, 8<<20)
	orCount(&s.TotalCount, 250_000)
	orCount(&s.TotalBytes, 256<<20)
	orCount(&s.ParkCount, 1_000)
	orCount(&s.ParkBytes, 512<<10)
	return s
}

func orDuration(d *time.Duration, otherwise time.Duration) {
	if *d <= 0 {
		*d = otherwise
	}
}

func orCount(n *int, otherwise int) {
	if *n <= 0 {
		*n = otherwise
	}
}

// Parts is what a Courier works with. Metrics and Now may be nil.
type Parts struct {
	Directory Directory
	// Sinks opens targets: sink.Bindings. Each attempt opens and closes.
	Sinks interface {
		Open(t sink.Target) (sink.Sink, error)
	}
	Lot     Lot
	Morgue  Morgue
	Logger  *slog.Logger
	Metrics *Metrics
	Now     func() time.Time // of the wall clock; nil = time.Now
}

// Courier delivers. It is safe for concurrent use, and a prometheus.Collector of its
// state.
//
// Each subscriber has a lane with a queue in memory and at most one flight under way: some
// batches, up to Settings.Concurrency of which are in the air at once. Events of one
// message are first attempted one after another, in the order of the log; events of
// different messages do not wait for each other. A lane in trouble parks what it is owed;
// no lane waits for another. What is waiting in memory is bounded; at the bound, the
// fullest lanes park, and until they have, whoever offers more waits.
type Courier struct {
	Parts
	set    Settings
	memory *memory
	room   *room

	ready   chan struct{} // closed once the backlogs are known
	life    context.Context
	kill    context.CancelFunc
	stopped atomic.Bool

	gate    sync.Mutex // between starting goroutines and waiting for them
	running sync.WaitGroup

	mu    sync.RWMutex // taken before a lane's
	lanes map[Subscriber]*lane
	busy  busy

	reads     chan struct{} // holds a token for each parked pack that is being read
	relieving sometimes
	retrying  sync.Mutex // one Retry at a time, so that none sends a letter twice
}

// NewCourier makes a Courier. It does nothing before Run.
func NewCourier(p Parts, s Settings) *Courier {
	s = s.withDefaults()
	c := &Courier{
		Parts: p, set: s, memory: newMemory(s.TotalCount, s.TotalBytes), room: newRoom(s.TotalBytes / 4),
		ready: make(chan struct{}), lanes: map[Subscriber]*lane{}, busy: busy{lanes: map[*lane]struct{}{}},
		reads: make(chan struct{}, maxReads),
	}
	c.life, c.kill = context.WithCancel(context.Background())
	return c
}

var errStopped = errors.New("courier is stopped")

// Run delivers until ctx ends. Attempts under way may then end within Settings.Drain;
// what is not on disk by then stays with the log, which hands it out again. Run is called
// once, and fails only when the backlogs cannot be read.
func (c *Courier) Run(ctx context.Context) error {
	defer c.stop()
	backlogs, err := c.Lot.Backlogs(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read backlogs: %w", err)
	}
	for s, b := range backlogs {
		c.lane(s).restore(b)
	}
	close(c.ready)
	ticker := time.NewTicker(recheckEvery)
	defer ticker.Stop()
	for tick := 1; ; tick++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.recheck(tick%recheckAllEvery == 0)
		}
	}
}

// stop ends all goroutines.
func (c *Courier) stop() {
	c.gate.Lock()
	c.stopped.Store(true)
	c.gate.Unlock()
	drain := time.AfterFunc(c.set.Drain, c.kill)
	defer drain.Stop()
	c.running.Wait()
	c.kill()
	for _, l := range c.all() {
		l.stopTimers()
	}
}

// spawn runs f in a goroutine that stop waits for. It reports whether it did: after stop,
// nothing starts.
func (c *Courier) spawn(f func()) bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.stopped.Load() {
		return false
	}
	c.running.Go(f)
	return true
}

func (c *Courier) now() time.Time {
	if c.Now == nil {
		return time.Now().UTC()
	}
	return c.Now().UTC()
}

// lane returns the subscriber's lane, new if it has none.
func (c *Courier) lane(s Subscriber) *lane {
	c.mu.RLock()
	l, ok := c.lanes[s]
	c.mu.RUnlock()
	if ok {
		return l
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok = c.lanes[s]; !ok {
		l = newLane(c, s)
		c.lanes[s] = l
	}
	return l
}

func (c *Courier) all() []*lane {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*lane, 0, len(c.lanes))
	for _, l := range c.lanes {
		all = append(all, l)
	}
	return all
}

// offer hands an item to a lane. It waits while memory is full.
func (c *Courier) offer(ctx context.Context, s Subscriber, it item) error {
	select {
	case <-c.ready:
	default:
		if err := c.awaitReady(ctx); err != nil {
			return err
		}
	}
	for !c.memory.take(it.size()) {
		now, again := c.relieving.allow(time.Now())
		if now {
			c.relieve()
		}
		select {
		case <-c.memory.freed:
		case <-time.After(again):
		case <-ctx.Done():
			return ctx.Err()
		case <-c.life.Done():
			return errStopped
		}
	}
	for !c.lane(s).offer(it) { // it was just retired; the next one is new
		if c.stopped.Load() {
			return errStopped
		}
	}
	return nil
}

// maxReads bounds how many parked packs are read at a time, over all lanes: each is large,
// and most of those who read want little of it.
const maxReads = 16

// read returns the first pack parked for s behind after, or nil.
func (c *Courier) read(s Subscriber, after uint64) (*ParkedPack, error) {
	select {
	case c.reads <- struct{}{}:
	case <-c.life.Done():
		return nil, errStopped
	}
	defer func() { <-c.reads }()
	return c.Lot.Next(c.life, s, after)
}

func (c *Courier) awaitReady(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.life.Done():
		return errStopped
	}
}

// settle declares items delivered, parked, buried or dropped.
func (c *Courier) settle(items []item) {
	count, bytes := 0, 0
	for i := 0; i < len(items); {
		t := items[i].tally
		n := int64(0)
		for ; i < len(items) && items[i].tally == t; i++ {
			n++
			if t.live {
				count++
				bytes += items[i].size()
			}
		}
		t.settle(n)
	}
	c.memory.give(count, bytes)
}
