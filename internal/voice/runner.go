package voice

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"tidings/internal/event"
)

// Runner places the calls of accepted messages and publishes what becomes of them.
//
// The event log is the state of a call. A call is dialled only after its first event,
// VoiceInitiated, is on disk; a message that has an event in the log is never dialled
// again. So a call is placed at most once, and every message gets exactly one final event,
// whatever crashes in between.
//
// Run may be called once. The fields must not be changed after that.
type Runner struct {
	Queue       Queue       // required
	Publisher   Publisher   // required
	Synthesizer Synthesizer // required
	Dialer      Dialer      // required
	Records     Recorder
	Lines       int              // calls in progress at most; 0 = 10,000
	Drain       time.Duration    // how long calls in progress may go on at shutdown; 0 = not at all
	Personal    bool             // log whole phone numbers and texts
	Now         func() time.Time // nil = time.Now
	Log         *slog.Logger     // nil = none
	Metrics     *Metrics         // nil = none

	storage, queue seldom // for warnings
}

const (
	defaultLines = 10_000

	// lastWords is how long, at shutdown, the events of calls that were hung up may take
	// to reach the disk.
	lastWords = 10 * time.Second

	// The pause after a failure of the store: doubled each time, up to the longest.
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second

	warningPause = 10 * time.Second // between two warnings about the store
)

// hours are the three lives that end one after the other at shutdown.
type hours struct {
	taking     context.Context // new calls are begun
	calling    context.Context // calls go on
	publishing context.Context // events are written
}

// Run places calls until ctx ends. Then it takes no more messages, hands back those whose
// calls were not begun, lets the others go on for Drain, and hangs up what is left. It
// returns when all calls are over, or with their events unwritten if the store takes none.
func (r *Runner) Run(ctx context.Context) error {
	calling, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	publishing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	h := hours{taking: ctx, calling: calling, publishing: publishing}

	var calls sync.WaitGroup
	r.take(h, &calls)

	over := make(chan struct{})
	go func() { calls.Wait(); close(over) }()
	if !within(over, r.Drain) {
		hangUp()
		if !within(over, lastWords) {
			giveUp()
		}
	}
	<-over
	return ctx.Err()
}

// take begins calls, as many at a time as there are lines, until h.taking ends.
func (r *Runner) take(h hours, calls *sync.WaitGroup) {
	n := r.Lines
	if n <= 0 {
		n = defaultLines
	}
	lines := make(chan struct{}, n)
	for {
		select {
		case lines <- struct{}{}:
		case <-h.taking.Done():
			return
		}
		job, ok := r.next(h.taking)
		if !ok {
			return
		}
		calls.Go(func() {
			defer func() { <-lines }()
			r.Metrics.lines(1)
			defer r.Metrics.lines(-1)
			r.live(h, job)
		})
	}
}

// next waits for a message. It reports false when ctx has ended.
func (r *Runner) next(ctx context.Context) (Job, bool) {
	for try := 0; ; try++ {
		job, err := r.Queue.Next(ctx)
		if err == nil {
			return job, true
		}
		if ctx.Err() != nil {
			return Job{}, false
		}
		if r.queue.due(warningPause) {
			r.logger().Warn("no message to be had from the queue; trying again", "error", err)
		}
		if !pause(ctx, try) {
			return Job{}, false
		}
	}
}

// publish writes events until it succeeds. It gives up, with the last error, only when
// until ends between two attempts: the storage may be full for hours, and an event must
// not be lost for that.
func (r *Runner) publish(ctx, until context.Context, events ...event.Event) error {
	for try := 0; ; try++ {
		err := r.Publisher.Publish(ctx, events...)
		if err == nil {
			return nil
		}
		r.Metrics.retried()
		if r.storage.due(warningPause) {
			r.logger().Warn("events of calls not written; trying again", "message", events[0].Message, "error", err)
		}
		if !pause(until, try) {
			return err
		}
	}
}

// pause waits after a failed try, the first being 0. It reports false when ctx has ended.
func pause(ctx context.Context, try int) bool {
	longest := min(firstPause<<min(try, 10), longestPause)
	timer := time.NewTimer(longest/2 + rand.N(longest/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// within waits for done, at most d. It reports whether done was in time.
func within(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func (r *Runner) logger() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

func (r *Runner) now() time.Time {
	now := time.Now
	if r.Now != nil {
		now = r.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}
