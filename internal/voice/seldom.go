package voice

import (
	"sync/atomic"
	"time"
)

// seldom keeps a log line that a thousand calls would write from being written more than
// now and then. The zero value is ready. It is safe for concurrent use.
type seldom struct{ last atomic.Pointer[time.Time] }

// due reports whether the line may be written now: pause has passed since it last was.
func (s *seldom) due(pause time.Duration) bool {
	now := time.Now() // with its monotonic part: a clock that is set changes nothing
	last := s.last.Load()
	if last != nil && now.Sub(*last) < pause {
		return false
	}
	return s.last.CompareAndSwap(last, &now)
}
