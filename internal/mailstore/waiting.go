package mailstore

import (
	"container/heap"
	"context"
	"time"

	"go.etcd.io/bbolt"

	"tidings/internal/email"
)

// Waiting is a mail of which not every recipient has an outcome.
type Waiting struct {
	Message email.Message
	State   email.State
}

// Waiting returns up to limit mails that wait or are in hand, in the order of their IDs, which is that of their acceptance, beginning
// behind after ("" = from the first). What is just being written may be missing, or still be there.
func (s *Store) Waiting(ctx context.Context, after string, limit int) (all []Waiting, err error) {
	err = s.db.Read(func(tx *bbolt.Tx) error {
		bodies := tx.Bucket(bucketBodies).Cursor()
		key, _ := bodies.Seek([]byte(after))
		if string(key) == after {
			key, _ = bodies.Next()
		}
		for ; key != nil && len(all) < limit; key, _ = bodies.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			message, state, err := readMail(tx, string(key))
			if err != nil {
				return err
			}
			all = append(all, Waiting{message, state})
		}
		return nil
	})
	return all, err
}

// Wake has mails handed out now that wait for their next attempt: those with the IDs, or all without any. It returns how many. If an
// attempt fails, the schedule goes on from there.
func (s *Store) Wake(ids ...string) int { return s.spool.wake(ids) }

func (s *spool) wake(ids []string) (n int) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	now := time.Now().UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.due {
		if m.due > now && (len(ids) == 0 || wanted[m.id]) {
			m.due = now
			n++
		}
	}
	heap.Init(&s.due)
	s.serve()
	return n
}
