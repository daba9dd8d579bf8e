//go:build !portable

package rtpaudio

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock tells the time since it was made, and sleeps until a time of its own.
type clock struct {
	origin time.Time
	base   int64 // CLOCK_MONOTONIC at origin, in nanoseconds
}

func newClock() *clock {
	c := &clock{origin: time.Now()}
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) == nil {
		c.base = ts.Nano()
	}
	return c
}

func (c *clock) now() time.Duration { return time.Since(c.origin) }

// sleep returns at t, or soon after. An absolute deadline does not add up what is lost
// between asking for the time and going to sleep. Go's own timers are not used: the
// runtime rounds them to its poller's millisecond.
func (c *clock) sleep(t time.Duration) {
	ts := unix.NsecToTimespec(c.base + int64(t))
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil) == unix.EINTR {
		continue
	}
}

// niceness is the priority that a wheel's thread asks for.
const niceness = -10

// hurry makes the calling thread, which must be locked, wake up on time: without the
// slack of 50 µs that Linux gives to ordinary threads, and before them. The priority
// needs CAP_SYS_NICE or a limit (ulimit -e) of 30; without, err says so and nothing else
// is different.
func hurry() (err error) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceness)
}
