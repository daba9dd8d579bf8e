//go:build !linux || portable

package rtpaudio

import "time"

// connects is whether sockets can be connected to the peer.
const connects = false

// stall makes the thread think that it stood still for d. Only the thread may call it.
func (c *clock) stall(d time.Duration) { c.origin = c.origin.Add(-d) }

// receiveForBenchmarks is for Linux only, as benchmarks of many streams are.
func receiveForBenchmarks() { panic("no benchmarks here") }
