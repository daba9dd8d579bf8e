package email

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"tidings/internal/configset"
	"tidings/internal/crew"
)

// Runner hands accepted messages over to the servers of their recipients and publishes what becomes of them.
//
// The spool is the state of a message. What became of a recipient is on disk before its event is published, and the event
// is made from what is on disk: after a crash the same event is published again, never another. So every recipient gets
// exactly one final event (delivery, bounce, reject or rendering failure), which may come twice under one ID. A message
// is handed over twice only if a crash falls between the server's word that it took it and our record of that.
//
// Run may be called once. The fields must not be changed after that. A Runner must not be copied.
type Runner struct {
	Spool       Spool       // required
	Publisher   Publisher   // required
	Registry    Registry    // required
	Transport   Transport   // required
	Sets        SetFinder   // required
	Scanner     Scanner     // nil = nothing is looked for
	Tracker     Tracker     // nil = messages are sent as they are
	Signer      Signer      // nil = nothing is signed
	ReturnPaths ReturnPaths // nil = bounces go to the sender
	Records     Recorder

	Concurrency int           // messages in progress at most; 0 = 256
	Drain       time.Duration // how long attempts in progress may go on at shutdown; 0 = not at all
	// MaxAge is how long after its acceptance the delivery of a message is tried; 0 = 12 hours. A configuration set may
	// shorten it. SES tries for 14 hours at most (SES API v2 Reference, "DeliveryOptions").
	MaxAge time.Duration
	// Schedule are the pauses after attempts that were deferred, the last again and again. None must be 0.
	// nil = 1 m, 5 m, 15 m, 30 m, 1 h, 2 h, 4 h.
	Schedule []time.Duration

	Personal bool             // log whole addresses
	Now      func() time.Time // nil = time.Now
	Log      *slog.Logger     // nil = none
	Metrics  *Metrics         // nil = none

	disk, spool, obstacles crew.Seldom // for warnings
}

const (
	defaultConcurrency = 256
	defaultMaxAge      = 12 * time.Hour

	// lastWrites is how long, at shutdown, what attempts have brought may take to reach the disk.
	lastWrites = 10 * time.Second

	warningPause = 10 * time.Second // between two warnings about the same
)

// defaultSchedule follows RFC 5321 section 4.5.4.1 from the fourth pause on: at least 30 minutes. It is quicker at first, as
// servers that greylist (RFC 6647) take a message after some minutes.
func defaultSchedule() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}
}

// Run delivers until ctx ends. Then it takes no more messages, lets attempts in progress go on for Drain, and breaks off what
// is left, which stays in the spool for the next start. It returns when nothing is in progress any more.
func (r *Runner) Run(ctx context.Context) error {
	n := r.Concurrency
	if n <= 0 {
		n = defaultConcurrency
	}
	return crew.Crew{Size: n, Drain: r.Drain, LastWords: lastWrites}.Run(ctx, func(ctx context.Context) (func(crew.Hours), bool) {
		job, ok := r.next(ctx)
		return func(h crew.Hours) {
			r.Metrics.inHand(1)
			defer r.Metrics.inHand(-1)
			r.live(h, job)
		}, ok
	})
}

// next waits for a message. It reports false when ctx has ended.
func (r *Runner) next(ctx context.Context) (job Job, ok bool) {
	err := crew.Try(ctx, func() (err error) { job, err = r.Spool.Next(ctx); return err }, func(err error) {
		if r.spool.Due(warningPause) {
			r.logger().Warn("no mail to be had from the spool; trying again", "error", err)
		}
	})
	return job, err == nil
}

// write calls f, which writes to the disk, until it succeeds. It gives up, with the last error, only once until has ended:
// the storage may be full for hours, and what became of a message must not be lost for that.
func (r *Runner) write(until context.Context, message string, f func() error) error {
	return crew.Try(until, f, func(err error) {
		if r.disk.Due(warningPause) {
			r.logger().Warn("what became of a mail is not written; trying again", "message", message, "error", err)
		}
	})
}

func (r *Runner) logger() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

func (r *Runner) now() time.Time { return clockNow(r.Now) }

// clockNow reads a clock, nil being the system's, as times are kept: UTC, in milliseconds.
func clockNow(clock func() time.Time) time.Time {
	if clock == nil {
		clock = time.Now
	}
	return clock().UTC().Truncate(time.Millisecond)
}

// pauseAfter returns how long to wait after so many attempts. The part left to chance spreads messages that failed together.
func (r *Runner) pauseAfter(attempts int) time.Duration {
	schedule := r.Schedule
	if len(schedule) == 0 {
		schedule = defaultSchedule()
	}
	pause := schedule[min(max(attempts, 1), len(schedule))-1]
	return pause - pause/10 + rand.N(pause/5+1)
}

// lifespan returns how long the delivery of a message is tried, and whether its set, and not the server, says so.
func (r *Runner) lifespan(set *configset.Set) (age time.Duration, custom bool) {
	age = r.MaxAge
	if age <= 0 {
		age = defaultMaxAge
	}
	if set != nil && set.Options.MaxDelivery > 0 && set.Options.MaxDelivery <= age {
		return set.Options.MaxDelivery, true
	}
	return age, false
}
