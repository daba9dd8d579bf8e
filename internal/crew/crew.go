// Package crew works at many jobs at once and stops in order: nothing new is taken, what is in progress goes on for a while, and what
// it has brought is written down.
package crew

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Hours are three lives that end one after the other at a stop.
type Hours struct {
	Taking  context.Context // jobs are taken
	Working context.Context // they are worked at
	Writing context.Context // what came of them is written down
}

// Crew says how many work, and how they stop.
type Crew struct {
	Size  int           // jobs in progress at most; at least 1
	Drain time.Duration // how long jobs in progress may go on at a stop; 0 = not at all
	// LastWords is how long, after that, what jobs have brought may take to be written down.
	LastWords time.Duration
}

// Run takes jobs until ctx ends, and works at them, Size at a time. take waits for a job; false = there is none any more, because its
// context has ended. Run returns when the last job has: with ctx's error.
func (c Crew) Run(ctx context.Context, take func(ctx context.Context) (job func(Hours), ok bool)) error {
	working, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	writing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()

	var jobs sync.WaitGroup
	c.begin(Hours{Taking: ctx, Working: working, Writing: writing}, &jobs, take)

	over := make(chan struct{})
	go func() { jobs.Wait(); close(over) }()
	if !within(over, c.Drain) {
		breakOff()
		if !within(over, c.LastWords) {
			giveUp()
		}
	}
	<-over
	return ctx.Err()
}

// begin begins jobs until h.Taking ends.
func (c Crew) begin(h Hours, jobs *sync.WaitGroup, take func(ctx context.Context) (job func(Hours), ok bool)) {
	places := make(chan struct{}, c.Size)
	for {
		select {
		case places <- struct{}{}:
		case <-h.Taking.Done():
			return
		}
		job, ok := take(h.Taking)
		if !ok {
			return
		}
		jobs.Go(func() {
			defer func() { <-places }()
			job(h)
		})
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

// The pause after a failed try: doubled each time, up to the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

// Try calls f until it succeeds, with pauses that grow to 5 s and that chance makes differ. It gives up, with the last error, only once
// ctx has ended. failed is called with each failure that is tried again, for the log.
func Try(ctx context.Context, f func() error, failed func(error)) error {
	for try := 0; ; try++ {
		err := f()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		failed(err)
		if !pause(ctx, try) {
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

// Seldom keeps a log line that a thousand jobs would write from being written more than now and then. The zero value is ready. It is
// safe for concurrent use.
type Seldom struct{ last atomic.Pointer[time.Time] }

// Due reports whether the line may be written now: pause has passed since it last was.
func (s *Seldom) Due(pause time.Duration) bool {
	now := time.Now() // with its monotonic part: a clock that is set changes nothing
	last := s.last.Load()
	if last != nil && now.Sub(*last) < pause {
		return false
	}
	return s.last.CompareAndSwap(last, &now)
}
