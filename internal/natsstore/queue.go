package natsstore

import (
	"context"
	"sync"
)

// queue hands items from one reader to many takers, in order. It never blocks the reader,
// who looks at its length before reading more.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	ready chan struct{}
	end   <-chan struct{} // when closed, takers get a fault
	taken func()          // called after each take
}

func newQueue[T any](end <-chan struct{}, taken func()) *queue[T] {
	return &queue[T]{ready: make(chan struct{}, 1), end: end, taken: taken}
}

func (q *queue[T]) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

func (q *queue[T]) push(items ...T) {
	if len(items) == 0 {
		return
	}
	q.mu.Lock()
	q.items = append(q.items, items...)
	q.mu.Unlock()
	q.signal()
}

func (q *queue[T]) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take waits for the first item.
func (q *queue[T]) take(ctx context.Context) (T, error) {
	var none T
	for {
		select {
		case <-q.end: // before all that may still lie here
			return none, closedFault()
		default:
		}
		if item, ok := q.try(); ok {
			q.taken()
			return item, nil
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return none, ctx.Err()
		case <-q.end:
			return none, closedFault()
		}
	}
}

func (q *queue[T]) try() (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return item, false
	}
	var none T
	item, q.items[0] = q.items[0], none
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	} else {
		q.signal() // for the next taker
	}
	return item, true
}
