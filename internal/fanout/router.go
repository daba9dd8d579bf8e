package fanout

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Router reads the log and hands each event to the Courier once per subscriber that wants
// it. A pack is acknowledged when the last of its deliveries was delivered, parked,
// buried or dropped. All fields must be set before Run; Metrics may be nil.
type Router struct {
	Log       Log
	Directory Directory
	Courier   *Courier
	Logger    *slog.Logger
	Metrics   *Metrics
	// InHand is how many packs, and InHandBytes how many bytes of records in them, may be
	// unacknowledged before slow attempts have their deliveries parked early; 0 = 512 and
	// 16 MiB. They should be well below what the log hands out at most.
	InHand      int
	InHandBytes int

	watcher  sync.WaitGroup
	mu       sync.Mutex
	open     map[uint64]*inHand // by sequence
	bytes    int                // of all of them
	hurrying bool
}

// inHand is a pack that is not acknowledged yet.
type inHand struct {
	acks  []func() // one for each time it was handed out
	bytes int
}

const (
	defaultInHand      = 512
	defaultInHandBytes = 16 << 20
	hurryEvery         = 50 * time.Millisecond
)

// The pauses after the log could not be read.
const (
	logPauseMin = 100 * time.Millisecond
	logPauseMax = 10 * time.Second
)

// Run reads until ctx ends. It survives failures of the log. It is called once.
func (r *Router) Run(ctx context.Context) error {
	r.open = map[uint64]*inHand{}
	ctx, cancel := context.WithCancel(ctx)
	defer r.watcher.Wait()
	defer cancel()
	var buf []Subscriber
	pause := logPauseMin
	for {
		pack, err := r.Log.Next(ctx)
		if ctx.Err() != nil {
			return nil // an unrouted pack is handed out again
		}
		if err != nil {
			r.Logger.Error("event log cannot be read", "error", err, "retry_in", pause)
			if wait(ctx, pause) != nil {
				return nil
			}
			pause = min(2*pause, logPauseMax)
			continue
		}
		pause = logPauseMin
		if r.again(ctx, pack) {
			continue
		}
		if buf, err = r.route(ctx, pack, buf); err != nil {
			return nil // only ctx or the Courier's end does that
		}
	}
}

// again notes the pack and reports whether it is on its way already: a log may hand a pack
// out again when it hears nothing for long.
func (r *Router) again(ctx context.Context, p *Pack) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.open[p.Seq]
	if !ok {
		h = &inHand{}
		for i := range p.Events {
			h.bytes += len(p.Events[i].Record)
		}
		r.bytes += h.bytes
		r.open[p.Seq] = h
	}
	h.acks = append(h.acks, p.Ack)
	if !r.hurrying && r.pressed() {
		r.hurrying = true
		r.watcher.Go(func() { r.hurry(ctx) })
	}
	return ok
}

// pressed reports whether too many packs are in hand. mu is held.
func (r *Router) pressed() bool {
	packs, bytes := r.InHand, r.InHandBytes
	orCount(&packs, defaultInHand)
	orCount(&bytes, defaultInHandBytes)
	return len(r.open) > packs || r.bytes > bytes
}

// hurry hurries the Courier while too many packs are in hand, so that a slow destination
// does not keep the log from handing out more.
func (r *Router) hurry(ctx context.Context) {
	for wait(ctx, hurryEvery) == nil {
		r.mu.Lock()
		r.hurrying = r.pressed()
		hurrying := r.hurrying
		r.mu.Unlock()
		if !hurrying {
			return
		}
		r.Courier.hurry()
	}
}

func (r *Router) route(ctx context.Context, p *Pack, buf []Subscriber) ([]Subscriber, error) {
	t := &tally{live: true, done: func() { r.ack(p.Seq) }}
	t.left.Store(1) // ours, until all is routed
	wanted := 0
	for i := range p.Events {
		e := &p.Events[i]
		buf = r.Directory.Match(e, buf[:0])
		if len(buf) > 0 {
			wanted++
		}
		for _, s := range buf {
			t.left.Add(1)
			if err := r.Courier.offer(ctx, s, item{event: e, tally: t}); err != nil {
				return buf, err
			}
		}
	}
	r.Metrics.routed(wanted, len(p.Events)-wanted)
	t.settle(1)
	return buf, nil
}

func (r *Router) ack(seq uint64) {
	r.mu.Lock()
	h := r.open[seq]
	delete(r.open, seq)
	r.bytes -= h.bytes
	r.mu.Unlock()
	for _, ack := range h.acks {
		ack()
	}
}

// wait waits for d or for the end of ctx, which it reports.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
