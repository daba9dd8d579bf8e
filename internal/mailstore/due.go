package mailstore

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"tidings/internal/boltfile"
	"tidings/internal/email"
)

// mail is one that waits or is in hand. With its ID and its place it takes about 170 bytes.
type mail struct {
	id   string
	due  int64  // Unix milliseconds: when it is handed out
	seq  uint64 // its place in the order of acceptance
	size uint32 // of its body
	kept *kept  // nil = it is read from the disk. It belongs to who has the mail in hand.
}

// kept is what need not be read from the disk.
type kept struct {
	message email.Message
	raw     []byte
	state   []byte // its record; nil = it is new
	size    int64  // an estimate
}

// spool are the mails that wait, in the order in which they are handed out, and those who wait for them.
type spool struct {
	maxMemory int64

	mu       sync.Mutex
	due      dueHeap
	waiters  []chan *mail // with room for one; those who wait shortest are served first
	alarm    *time.Timer  // rings when the first mail is due and somebody waits
	seq      uint64
	memory   int64 // of what is kept
	messages int   // on disk
	bytes    int64 // of their bodies
}

func newSpool(maxMemory int64) *spool {
	s := &spool{maxMemory: maxMemory}
	s.alarm = time.AfterFunc(time.Hour, s.ring)
	s.alarm.Stop()
	return s
}

// read finds the mails that wait on disk.
func (s *spool) read(tx *bbolt.Tx) error {
	states, heads := tx.Bucket(bucketStates).Cursor(), tx.Bucket(bucketHeads)
	stateKey, state := states.First()
	now := time.Now().UnixMilli() // nothing new waits for a clock that was set back
	return tx.Bucket(bucketBodies).ForEach(func(k, v []byte) error {
		id := string(k)
		for stateKey != nil && string(stateKey) < id {
			stateKey, state = states.Next()
		}
		m := &mail{id: id, seq: s.seq, size: uint32(len(v))}
		if string(stateKey) == id {
			due, err := dueOf(state)
			if err != nil {
				return err
			}
			m.due = due
		}
		if m.due == 0 {
			m.due = min(acceptedOf(heads.Get(k)), now)
		}
		s.seq++
		s.messages++
		s.bytes += int64(len(v))
		heap.Push(&s.due, m)
		return nil
	})
}

// add takes up what was put on disk.
func (s *spool) add(letters []letter) {
	now := time.Now().UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range letters {
		m := letters[i].mail
		m.due = min(m.due, now)
		m.seq = s.seq
		s.seq++
		s.messages++
		s.bytes += int64(m.size)
		if s.memory+m.kept.size > s.maxMemory {
			m.kept = nil
		} else {
			s.memory += m.kept.size
		}
		heap.Push(&s.due, m)
	}
	s.serve()
}

// push takes a mail back, to be handed out when the time has come, in Unix milliseconds.
func (s *spool) push(m *mail, due int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.due = due
	heap.Push(&s.due, m)
	s.serve()
}

// drop gives the memory of a mail free that is in hand.
func (s *spool) drop(m *mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.kept != nil {
		s.memory -= m.kept.size
		m.kept = nil
	}
}

// forget notes that a mail was removed from the disk.
func (s *spool) forget(m *mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages--
	s.bytes -= int64(m.size)
}

// take waits for the next mail. It fails when ctx or the life of the store ends.
func (s *spool) take(ctx context.Context, closed <-chan struct{}) (*mail, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if m := s.pop(time.Now()); m != nil {
		s.mu.Unlock()
		return m, nil
	}
	waiter := make(chan *mail, 1)
	s.waiters = append(s.waiters, waiter)
	s.serve()
	s.mu.Unlock()
	var err error
	select {
	case m := <-waiter:
		return m, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-closed:
		err = boltfile.Closed()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiters, waiter); i >= 0 {
		s.waiters = slices.Delete(s.waiters, i, i+1)
		return nil, err
	}
	select {
	case m := <-waiter: // it came at the same moment
		return m, nil
	default:
		return nil, err
	}
}

// pop returns the first mail if it is due. The caller holds the lock.
func (s *spool) pop(now time.Time) *mail {
	if len(s.due) == 0 || s.due[0].due > now.UnixMilli() {
		return nil
	}
	return heap.Pop(&s.due).(*mail)
}

// serve hands what is due to those who wait. The caller holds the lock.
func (s *spool) serve() {
	if len(s.waiters) == 0 {
		return
	}
	now := time.Now()
	for n := len(s.waiters); n > 0; n = len(s.waiters) {
		m := s.pop(now)
		if m == nil {
			break
		}
		s.waiters[n-1] <- m
		s.waiters = s.waiters[:n-1]
	}
	if len(s.waiters) > 0 && len(s.due) > 0 {
		s.alarm.Reset(time.UnixMilli(s.due[0].due).Sub(now))
	}
}

func (s *spool) ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve()
}

func (s *spool) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters = nil // nobody is served any more
	s.alarm.Stop()
}

// dueHeap orders mails by when they are due, and then as they were accepted. It implements heap.Interface.
type dueHeap []*mail

func (h dueHeap) Len() int { return len(h) }

func (h dueHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].seq < h[j].seq
}

func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *dueHeap) Push(x any) { *h = append(*h, x.(*mail)) }

func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
