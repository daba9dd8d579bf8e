//go:build !linux || portable

package rtpaudio

import (
	"errors"
	"time"
)

// clock tells the time since it was made, and sleeps until a time of its own. Here with
// Go's timers, which are good to about a millisecond.
type clock struct {
	origin time.Time
}

func newClock() *clock { return &clock{origin: time.Now()} }

func (c *clock) now() time.Duration { return time.Since(c.origin) }

// sleep returns at t, or soon after.
func (c *clock) sleep(t time.Duration) { <-time.After(t - c.now()) }

// hurry does nothing here.
func hurry() error { return errors.ErrUnsupported }
