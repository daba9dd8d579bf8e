package fanout

import (
	"sync"
	"sync/atomic"
)

// memory counts the deliveries that are in memory, over all subscribers.
type memory struct {
	maxCount, maxBytes int

	mu           sync.Mutex
	count, bytes int
	wanted       bool          // somebody waits
	freed        chan struct{} // holds one token when something was given back since
}

func newMemory(maxCount, maxBytes int) *memory {
	return &memory{maxCount: maxCount, maxBytes: maxBytes, freed: make(chan struct{}, 1)}
}

// take counts one delivery in, or reports that there is no room. A delivery that is larger
// than all the room fits when nothing else is there.
func (m *memory) take(bytes int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count > 0 && (m.count+1 > m.maxCount || m.bytes+bytes > m.maxBytes) {
		m.wanted = true
		return false
	}
	m.count++
	m.bytes += bytes
	return true
}

// give counts deliveries out.
func (m *memory) give(count, bytes int) {
	if count == 0 {
		return
	}
	m.mu.Lock()
	m.count -= count
	m.bytes -= bytes
	wanted := m.wanted
	m.wanted = false
	m.mu.Unlock()
	if wanted {
		select {
		case m.freed <- struct{}{}:
		default: // one token is enough: who finds it looks again
		}
	}
}

// inUse returns the bytes that are counted in.
func (m *memory) inUse() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// The bounds of what one flight may hold, in bytes.
const (
	maxFlightBytes = 8 << 20
	minFlightBytes = 32 << 10
)

// room is the memory of all flights together: what hangs keeps it, also when its
// deliveries are safe on disk and no longer counted as waiting. A flight gets a part of
// what is left, so that the first few do not take it all, and a little when nothing is.
type room struct{ left atomic.Int64 }

func newRoom(bytes int) *room {
	r := &room{}
	r.left.Store(int64(bytes))
	return r
}

// take returns how many bytes a flight may hold, and counts them out.
func (r *room) take() int {
	granted := min(maxFlightBytes, max(minFlightBytes, r.left.Load()/8))
	r.left.Add(-granted)
	return int(granted)
}

// give takes bytes back.
func (r *room) give(bytes int) { r.left.Add(int64(bytes)) }
