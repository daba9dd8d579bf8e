package siptrunk

import (
	"log/slog"
	"strings"
	"time"
)

// State is how a trunk is doing, in a word.
type State string

// The states.
const (
	Unknown State = "unknown" // nothing was heard of it yet
	Up      State = "up"      // it answers
	Down    State = "down"    // it does not answer, refuses the registration, or has turned calls away
)

const (
	// DefaultOptions is between two OPTIONS requests to a trunk that does not say otherwise.
	DefaultOptions = 30 * time.Second

	// DefaultExpires is how long a registration is asked for. Source: RFC 3261 10.2, which
	// leaves it to the client and uses an hour where nobody says.
	DefaultExpires = time.Hour

	// recovery is after how long a trunk that is sent no OPTIONS is trusted again.
	recovery = 30 * time.Second

	// maxRest bounds how long a trunk can ask to be left alone: a carrier that says an
	// hour by mistake must not silence us for one.
	maxRest = time.Minute
)

// Trunk is one trunk. It is safe for concurrent use.
type Trunk struct {
	config Config
	log    *slog.Logger
	pool   *Pool

	// All below belong to pool.mu.
	calls   int       // leased now
	leased  uint64    // the pool's count of leases at the last one of this trunk
	pace    *pace     // nil = no limit
	rest    time.Time // no call before; the trunk has asked to be left alone
	health  State
	since   time.Time // of the state that was last reported
	known   State     // the state that was last reported
	failed  time.Time // when it was last found down
	lastErr string
	missed  int // OPTIONS in a row without an answer
	trip    time.Duration

	registered time.Time // until when
	refused    bool      // the last attempt to register failed
}

// Config returns what the operator wrote of the trunk. Its slices are shared: do not change them.
func (t *Trunk) Config() Config { return t.config }

// String returns the name.
func (t *Trunk) String() string { return t.config.Name }

// Failed says that the trunk could not take a call for a reason of its own: it did not
// answer, or with 500 to 504. It is down until it answers OPTIONS, or a call; with OPTIONS
// off, for half a minute. With retryAfter, which is cut to a minute, it gets no call for
// that long: RFC 3261 21.5.4, "SHOULD NOT forward any other requests to that server for the duration".
func (t *Trunk) Failed(reason string, retryAfter time.Duration) {
	t.update(func(now time.Time) {
		t.down(now, reason)
		if retryAfter > 0 {
			t.rest = later(t.rest, now.Add(min(retryAfter, maxRest)))
		}
	})
}

// Answered says that the trunk has taken a call: what came back was more than an error of
// its own.
func (t *Trunk) Answered() {
	t.update(func(time.Time) { t.health, t.missed = Up, 0 })
}

// down notes what is wrong. pool.mu must be held.
func (t *Trunk) down(now time.Time, reason string) {
	t.health, t.failed, t.lastErr = Down, now, reason
}

// update changes the trunk, lets those go on who waited for it, and logs a change of state.
func (t *Trunk) update(change func(now time.Time)) {
	t.pool.mu.Lock()
	now := t.pool.now()
	change(now)
	before, after := t.known, t.state(now)
	if before != after {
		t.known, t.since = after, now
	}
	reason := t.lastErr
	t.pool.serve()
	t.pool.mu.Unlock()
	switch {
	case before == after:
	case after == Down:
		t.log.Warn("trunk is down", "reason", reason)
	case after == Up:
		t.log.Info("trunk is up", "before", before)
	default:
		t.log.Info("trunk may be up again", "before", before)
	}
}

// state is how the trunk is doing now. pool.mu must be held.
func (t *Trunk) state(now time.Time) State {
	if t.config.Register && t.refused && !now.Before(t.registered) {
		return Down
	}
	if t.health == Down && t.config.Options < 0 && !now.Before(t.failed.Add(recovery)) {
		return Unknown // nobody asks it, so the next call does
	}
	return t.health
}

// recovers returns when a trunk that is down is trusted again by the mere passing of time;
// zero = never. pool.mu must be held.
func (t *Trunk) recovers() time.Time {
	if t.health != Down || t.config.Options >= 0 {
		return time.Time{}
	}
	return t.failed.Add(recovery)
}

// room returns when the trunk can take a call. It reports false if only the end of another
// call can tell. pool.mu must be held.
func (t *Trunk) room() (at time.Time, ok bool) {
	if t.config.MaxCalls > 0 && t.calls >= t.config.MaxCalls {
		return time.Time{}, false
	}
	return later(t.rest, t.pace.free()), true
}

// lessUsed reports whether t is to be preferred to o, of the same rank: fewer calls, or
// the longer time without one. pool.mu must be held.
func (t *Trunk) lessUsed(o *Trunk) bool {
	if t.calls != o.calls {
		return t.calls < o.calls
	}
	return t.leased < o.leased
}

// serves returns the length of the longest prefix that the number has, or false.
func (t *Trunk) serves(number string) (length int, ok bool) {
	for _, p := range t.config.Prefixes {
		if strings.HasPrefix(number, p) {
			length, ok = max(length, len(p)), true
		}
	}
	return length, ok
}
