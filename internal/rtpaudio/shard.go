package rtpaudio

import (
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// tick is the distance of two slots of the wheel.
	tick = time.Millisecond
	// slots is how many slots the wheel has: more than the longest packet has ticks, so that
	// a stream which was served can be put into the slot of its next packet.
	slots = 64
	// spread is how many of the next slots a new stream may get: the usual packet time.
	spread = 20
	// crowd is how many streams share a slot before another one is begun: every slot in use
	// costs a thread a wake-up, while eight packets are sent within some 30 µs.
	crowd = 8
	// full is how many streams a thread has before the next one gets any, for the same reason.
	full = 500
	// nap bounds, in ticks, how long the thread sleeps while it has streams. New orders wait
	// that long at most.
	nap = 5
	// maxBehind is how late, in ticks, the wheel may be and still make up for it by sending
	// what is due at once: three usual packets, which a receiver's jitter buffer holds.
	// When it is later than that, because the machine stood still, everything is sent that
	// much later instead, as after a hold; see slip.
	maxBehind = 60
)

// shard is one thread with its streams.
type shard struct {
	wheel   *Wheel
	clock   *clock
	members atomic.Int64 // streams, started or not
	bell    chan struct{}

	mu      sync.Mutex
	posted  atomic.Bool // whether mail holds something
	mail    []func()    // for the thread, in order
	running bool
	ended   bool
	all     map[*Stream]struct{}

	// Below: the thread's own.
	turn    int64            // the last tick that was served
	slipped int64            // ticks by which all is late for good
	served  int              // streams in slots
	slot    [slots][]*Stream // who is due when
	work    []func()         // mail being done; kept for its memory
	packet  [maxPacket]byte  // being sent
	inbox   *inbox           // being heard
	tally   tally            // what was counted since the metrics were told
}

func newShard(w *Wheel) *shard {
	return &shard{wheel: w, clock: newClock(), bell: make(chan struct{}, 1), inbox: newInbox(), all: map[*Stream]struct{}{}}
}

// admit makes s one of the shard's streams.
func (sh *shard) admit(s *Stream) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.ended {
		return ErrStopped
	}
	sh.all[s] = struct{}{}
	sh.members.Add(1)
	return nil
}

// post has f done by the thread: soon while it runs, else when it begins.
func (sh *shard) post(f func()) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.ended {
		return ErrStopped
	}
	sh.mail = append(sh.mail, f)
	sh.posted.Store(true)
	select {
	case sh.bell <- struct{}{}:
	default:
	}
	return nil
}

// dismiss ends s and returns when nothing more happens to it. Where no thread is, the
// caller takes its place.
func (sh *shard) dismiss(s *Stream) {
	sh.mu.Lock()
	running := sh.running
	if !running {
		s.finish()
	}
	sh.mu.Unlock()
	if running {
		_ = sh.post(s.finish) // if the thread has ended meanwhile, it finished s itself
	}
	<-s.gone
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, ok := sh.all[s]; ok {
		delete(sh.all, s)
		sh.members.Add(-1)
	}
}

// run is the thread.
func (sh *shard) run(ctx context.Context) {
	// Not unlocked: a thread that was given another priority ends with its goroutine.
	runtime.LockOSThread()
	if err := hurry(); err != nil {
		sh.wheel.log.LogAttrs(ctx, slog.LevelDebug, "rtp: the wheel's thread keeps its usual priority", slog.Any("error", err))
	}
	sh.mu.Lock()
	sh.running = true
	sh.mu.Unlock()
	var stopping atomic.Bool
	defer context.AfterFunc(ctx, func() { stopping.Store(true) })()
	sh.catchUp()
	for !stopping.Load() {
		sh.readMail()
		if sh.served == 0 {
			select {
			case <-sh.bell:
			case <-ctx.Done():
			}
			sh.catchUp()
			continue
		}
		sh.step()
	}
	sh.stop()
}

// stop finishes all streams.
func (sh *shard) stop() {
	sh.mu.Lock()
	sh.ended, sh.mail = true, nil
	all := slices.Collect(maps.Keys(sh.all))
	sh.mu.Unlock()
	for _, s := range all {
		s.finish()
	}
	sh.report()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.running = false
}

// readMail does what was posted. While it has streams, the thread does not wait for the
// lock, whose holder may just not be running; it comes back soon. Without streams it must:
// the bell that it was woken by does not ring again.
func (sh *shard) readMail() {
	if !sh.posted.Load() {
		return
	}
	if sh.served == 0 {
		sh.mu.Lock()
	} else if !sh.mu.TryLock() {
		return
	}
	sh.work, sh.mail = sh.mail, sh.work[:0]
	sh.posted.Store(false)
	sh.mu.Unlock()
	for _, f := range sh.work {
		f()
	}
	clear(sh.work)
}

// catchUp goes on to the present tick after a time without streams, which is not lateness.
func (sh *shard) catchUp() { sh.turn = int64(sh.clock.now()/tick) - sh.slipped }

// step sleeps until the next tick at which a stream is due, and serves all that are due
// by then.
func (sh *shard) step() {
	next := sh.turn + 1
	for last := sh.turn + nap; next < last && len(sh.slot[next%slots]) == 0; {
		next++
	}
	deadline := time.Duration(next+sh.slipped) * tick
	if sh.clock.now() < deadline {
		sh.clock.sleep(deadline)
	}
	now := sh.clock.now()
	sh.wheel.metrics.woke(now - deadline)
	until := int64(now/tick) - sh.slipped
	if behind := until - next; behind > maxBehind {
		sh.slip(behind)
		until = next
	}
	for sh.turn < until {
		sh.turn++
		sh.serve()
	}
	sh.report()
}

// slip moves all deadlines: what the listeners missed is not sent in a burst, which would
// be lost in their buffers. Timestamps jump by as much, since RTP's clock goes on.
func (sh *shard) slip(ticks int64) {
	sh.slipped += ticks
	sh.wheel.metrics.slips.Inc()
}

// serve gives all streams of the present tick their turn.
func (sh *shard) serve() {
	here := &sh.slot[sh.turn%slots]
	for i, s := range *here {
		(*here)[i] = nil
		sh.served--
		if s.over {
			continue
		}
		sh.put(s, sh.turn+s.takeTurn(sh.turn))
	}
	*here = (*here)[:0]
}

// put makes s due at a tick.
func (sh *shard) put(s *Stream, at int64) {
	sh.slot[at%slots] = append(sh.slot[at%slots], s)
	sh.served++
}

// seat puts a new stream into a slot that has begun to be filled, else into the emptiest.
func (sh *shard) seat(s *Stream) {
	best := sh.turn + 1
	for at := best; at <= sh.turn+spread; at++ {
		n := len(sh.slot[at%slots])
		if n > 0 && n < crowd {
			best = at
			break
		}
		if n < len(sh.slot[best%slots]) {
			best = at
		}
	}
	sh.put(s, best)
}

// sampled is RTP's clock: 8,000 a second, the same for all streams of the shard, and
// going on while the wheel slips.
func (sh *shard) sampled(turn int64) int64 { return (turn + sh.slipped) * int64(samplesPerTick) }

// report adds what was counted to the metrics.
func (sh *shard) report() {
	sh.wheel.metrics.add(&sh.tally)
	sh.tally = tally{}
}
