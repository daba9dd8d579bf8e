package voice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"tidings/internal/crew"
	"tidings/internal/event"
)

// What messageStatusDescription says of calls that did not end by themselves.
const (
	reasonRestarted  = "service restarted during the call"
	reasonStopped    = "service stopped during the call"
	reasonNoSpeech   = "the message could not be turned into speech"
	reasonBrokenDown = "the call broke down"
)

// errOver is what a Dialer gets that reports progress of a call that is over.
var errOver = errors.New("the call is over")

// call is one call on its way from VoiceInitiated to its final event.
type call struct {
	r     *Runner
	h     crew.Hours
	m     *Message
	taken time.Time // when it was taken from the queue

	mu      sync.Mutex
	state   event.Type    // type of the last event
	at      time.Time     // of the last event
	waiting []event.Event // to be written, in order
	writing chan struct{} // closed when the present writer has written all; nil = none is at work
	failed  error         // why the last writer gave up
}

// live lives the life of one call.
func (r *Runner) live(h crew.Hours, job Job) {
	if h.Taking.Err() != nil {
		job.Release()
		return
	}
	c := &call{r: r, h: h, m: &job.Message, taken: r.now()}
	if len(job.Begun) > 0 {
		c.bury(job)
		return
	}
	speech, broken := c.synthesize()
	if h.Taking.Err() != nil {
		job.Release()
		return
	}
	o := Outcome{Type: event.VoiceFailed, Reason: reasonNoSpeech}
	first := []event.Event{c.event(event.VoiceInitiated, Outcome{})}
	if broken != nil {
		first = append(first, c.event(o.Type, o))
	}
	if err := r.publish(h.Writing, h.Taking, first...); err != nil {
		// Perhaps it was written all the same. Then the next life finds it in Begun.
		job.Release()
		return
	}
	if broken == nil {
		r.Metrics.placed(c.at.Sub(c.m.Accepted))
		o, broken = c.dial(speech)
		if !c.end(o) {
			// Neither Done nor Released: its end is for the next life to tell.
			r.logger().Error("the final event of a call was not written before the stop; the next start ends the call as failed",
				"message", c.m.ID, "outcome", word(o.Type), "error", c.failed)
			return
		}
	}
	job.Done()
	c.report(o, speech, broken)
}

// bury ends a message whose call an earlier life of the process began and did not see
// through. The phone may have rung, so it is not dialled.
func (c *call) bury(job Job) {
	if slices.ContainsFunc(job.Begun, isFinal) {
		job.Done()
		return
	}
	c.state = job.Begun[len(job.Begun)-1]
	o := Outcome{Type: event.VoiceFailed, Reason: reasonRestarted}
	if err := c.r.publish(c.h.Writing, c.h.Taking, c.event(o.Type, o)); err != nil {
		job.Release()
		return
	}
	job.Done()
	c.report(o, Speech{}, nil)
}

// synthesize turns the message into speech, before the phone rings.
func (c *call) synthesize() (s Speech, err error) {
	defer recovered(&err)
	return c.r.Synthesizer.Synthesize(c.h.Taking, c.m.Content, c.m.MaxLength)
}

// dial places the call and returns how it ended: always with a type that may follow. The
// error, for the log, says what went wrong on our side of the line.
func (c *call) dial(s Speech) (Outcome, error) {
	o, err := c.dialed(s)
	c.mu.Lock()
	state := c.state
	c.mu.Unlock()
	switch {
	case c.h.Working.Err() != nil && errors.Is(err, context.Canceled):
		return Outcome{Type: event.VoiceFailed, Reason: reasonStopped}, nil
	case err != nil:
		return Outcome{Type: event.VoiceFailed, Reason: reasonBrokenDown}, err
	case !isFinal(o.Type) || !legal(state, o.Type):
		return Outcome{Type: event.VoiceFailed, Reason: reasonBrokenDown},
			fmt.Errorf("the dialer ended a call with %q after %q", o.Type, state)
	}
	o.Talk = max(o.Talk, 0)
	return o, nil
}

func (c *call) dialed(s Speech) (o Outcome, err error) {
	defer recovered(&err)
	return c.r.Dialer.Dial(c.h.Working, Call{Message: *c.m, Speech: s}, c.progress)
}

// recovered turns a panic into an error: it costs one call, not all of them.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// progress takes what the Dialer reports on the way. It never waits for the disk: whoever
// has answered must not listen to silence while the storage is full. What is reported
// twice, or too late to matter, is dropped.
func (c *call) progress(t event.Type) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case isFinal(c.state):
		return errOver
	case t == c.state, t == event.VoiceRinging && c.state == event.VoiceAnswered:
		return nil
	case isFinal(t) || !legal(c.state, t):
		return fmt.Errorf("the dialer reported %q after %q", t, c.state)
	}
	if c.put(c.event(t, Outcome{})) {
		go c.write()
	}
	return nil
}

// end writes the final event and waits for it, and for all before it, to be on disk.
func (c *call) end(o Outcome) bool {
	c.mu.Lock()
	mine := c.put(c.event(o.Type, o))
	writing := c.writing
	c.mu.Unlock()
	if mine {
		c.write()
	}
	<-writing
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed == nil
}

// event makes the next event of the call. Times never run backward within a call,
// whatever the clock does. c.mu must be held, or nobody else know of the call yet.
func (c *call) event(t event.Type, o Outcome) event.Event {
	if now := c.r.now(); now.After(c.at) {
		c.at = now
	}
	c.state = t
	return c.r.Records.Event(c.m, t, c.at, o)
}

// put adds an event to what is to be written. It reports true if nobody is writing; then
// the caller must see to it that write is called. c.mu must be held.
func (c *call) put(e event.Event) bool {
	c.waiting = append(c.waiting, e)
	if c.writing != nil {
		return false
	}
	c.writing = make(chan struct{})
	return true
}

// write writes what is waiting, in order, all that has gathered meanwhile at once.
func (c *call) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { close(c.writing); c.writing = nil }()
	for len(c.waiting) > 0 {
		batch := c.waiting
		c.waiting = nil
		c.mu.Unlock()
		err := c.r.publish(c.h.Writing, c.h.Writing, batch...)
		c.mu.Lock()
		if err != nil {
			c.waiting, c.failed = append(batch, c.waiting...), err
			return
		}
		c.failed = nil
	}
}

// report writes the one line of the log that tells everything about the call.
func (c *call) report(o Outcome, s Speech, broken error) {
	c.r.Metrics.ended(o.Type, o.Talk)
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("message", c.m.ID),
		slog.String("account", c.m.Tenant.Account),
		slog.String("region", c.m.Tenant.Region),
		slog.String("set", c.m.Set),
		slog.String("country", c.m.Country),
		slog.String("outcome", word(o.Type)),
		slog.String("reason", o.Reason),
		slog.Duration("talk", o.Talk),
		slog.Duration("speech", s.Duration),
		slog.Bool("estimated", s.Estimated),
		slog.Duration("waited", c.taken.Sub(c.m.Accepted)),
		slog.Duration("took", c.r.now().Sub(c.taken)),
	}
	if c.r.Personal {
		attrs = append(attrs, slog.String("destination", string(c.m.Destination)),
			slog.String("origination", string(c.m.Origination)), slog.String("text", c.m.Content.Text))
	} else {
		attrs = append(attrs, slog.Any("destination", c.m.Destination), slog.Any("origination", c.m.Origination))
	}
	if broken != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.Any("error", broken))
	}
	c.r.logger().LogAttrs(context.Background(), level, "call", attrs...)
}
