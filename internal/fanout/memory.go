package fanout

import "sync"

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
