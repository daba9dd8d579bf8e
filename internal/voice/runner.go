package voice

import (
	"context"
	"log/slog"
	"time"

	"tidings/internal/crew"
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

	storage, queue crew.Seldom // for warnings
}

const (
	defaultLines = 10_000

	// lastWords is how long, at shutdown, the events of calls that were hung up may take
	// to reach the disk.
	lastWords = 10 * time.Second

	warningPause = 10 * time.Second // between two warnings about the store
)

// Run places calls until ctx ends. Then it takes no more messages, hands back those whose
// calls were not begun, lets the others go on for Drain, and hangs up what is left. It
// returns when all calls are over, or with their events unwritten if the store takes none.
func (r *Runner) Run(ctx context.Context) error {
	lines := r.Lines
	if lines <= 0 {
		lines = defaultLines
	}
	return crew.Crew{Size: lines, Drain: r.Drain, LastWords: lastWords}.Run(ctx, func(ctx context.Context) (func(crew.Hours), bool) {
		job, ok := r.next(ctx)
		return func(h crew.Hours) {
			r.Metrics.lines(1)
			defer r.Metrics.lines(-1)
			r.live(h, job)
		}, ok
	})
}

// next waits for a message. It reports false when ctx has ended.
func (r *Runner) next(ctx context.Context) (job Job, ok bool) {
	err := crew.Try(ctx, func() (err error) { job, err = r.Queue.Next(ctx); return err }, func(err error) {
		if r.queue.Due(warningPause) {
			r.logger().Warn("no message to be had from the queue; trying again", "error", err)
		}
	})
	return job, err == nil
}

// publish writes events until it succeeds. It gives up, with the last error, only once
// until has ended: the storage may be full for hours, and an event must not be lost for
// that.
func (r *Runner) publish(ctx, until context.Context, events ...event.Event) error {
	return crew.Try(until, func() error { return r.Publisher.Publish(ctx, events...) }, func(err error) {
		r.Metrics.retried()
		if r.storage.Due(warningPause) {
			r.logger().Warn("events of calls not written; trying again", "message", events[0].Message, "error", err)
		}
	})
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
