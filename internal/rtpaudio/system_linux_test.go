//go:build !portable

package rtpaudio

import "time"

// connects is whether sockets can be connected to the peer.
const connects = true

// stall makes the thread think that it stood still for d. Only the thread may call it.
func (c *clock) stall(d time.Duration) {
	c.origin = c.origin.Add(-d)
	c.base -= int64(d)
}
