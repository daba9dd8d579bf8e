package fanout

import (
	"math/rand/v2"
	"time"
)

// backoff is the pause after the n-th failure in a row (from 1): least, doubled each time
// up to most, of which a random half is cut off, so that destinations that failed together
// do not come back together.
func backoff(n int, least, most time.Duration) time.Duration {
	d := least
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	d = min(d, most)
	return d/2 + rand.N(d/2+1)
}
