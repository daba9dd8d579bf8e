package awsapi

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tidings/internal/fault"
)

// limiter holds accounts to the documented request rates. It keeps one bucket for each
// account and operation, so it grows no larger than the configuration. The zero value is
// ready.
type limiter struct {
	mu      sync.Mutex
	buckets map[[2]string]*rate.Limiter
}

// take fails with fault.Throttled if the account makes more than perSecond requests of
// the operation in a second. perSecond 0 never fails.
func (l *limiter) take(account, operation string, perSecond int, now time.Time) error {
	if perSecond == 0 {
		return nil
	}
	reservation := l.bucket(account, operation, perSecond).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	reservation.CancelAt(now)
	f := fault.New(fault.Throttled, "", "Rate exceeded.")
	f.RetryAfter = wait
	return f
}

func (l *limiter) bucket(account, operation string, perSecond int) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]string{account, operation}
	b, ok := l.buckets[key]
	if !ok {
		if l.buckets == nil {
			l.buckets = map[[2]string]*rate.Limiter{}
		}
		b = rate.NewLimiter(rate.Limit(perSecond), perSecond)
		l.buckets[key] = b
	}
	return b
}
