package mailstore

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"tidings/internal/boltfile"

	"go.etcd.io/bbolt"
)

// headCount is how many heads there are, and their bytes.
type headCount struct{ n, bytes int64 }

func readHeadCount(tx *bbolt.Tx) (c headCount) {
	if v := tx.Bucket(boltfile.Meta).Get(keyHeads); len(v) == 16 {
		c.n, c.bytes = int64(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))
	}
	return c
}

func (c *headCount) add(head []byte, n int64) {
	c.n += n
	c.bytes += n * int64(len(head))
}

func (c *headCount) write(tx *bbolt.Tx) error {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(c.n))
	return tx.Bucket(boltfile.Meta).Put(keyHeads, binary.BigEndian.AppendUint64(v, uint64(c.bytes)))
}

const (
	// tidyEvery is how often old heads are looked for and counts are written.
	tidyEvery = time.Minute
	// maxSwept bounds the heads that a transaction removes, beside twice as many as it adds.
	maxSwept = 1000
)

// tidy removes what has become old, and writes what is not written at once, until the store closes.
func (s *Store) tidy() {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case now := <-ticker.C:
			s.sweepOld(now)
			s.keepCounts(now)
		}
	}
}

// sweepOld removes all heads that are too old, or too many, some at a time, so that others wait for it only shortly.
func (s *Store) sweepOld(now time.Time) {
	oldest := now.Add(-s.opts.KeepHeads).UnixMilli()
	for from := []byte{}; from != nil; {
		var next []byte
		err := s.commit(s.life, &change{edit: func(b *batch, _ *change) (err error) {
			next, err = b.sweep(from, oldest, maxSwept)
			s.swept = nil
			return err
		}})
		if err != nil {
			return // the next round does it again
		}
		from = next
	}
}

// sweepBehind removes heads to make room for those of letters.
func (b *batch) sweepBehind(letters int) (err error) {
	if letters > 0 && b.heads.bytes > b.store.opts.KeepHeadsBytes {
		b.store.swept, err = b.sweep(b.store.swept, math.MinInt64, 2*letters+maxSwept)
	}
	return err
}

// sweep looks at up to limit heads, beginning with from: those that were accepted before oldest and those that are too many go, unless
// their mails still wait. It returns where to go on; nil = there is nothing more to be removed.
func (b *batch) sweep(from []byte, oldest int64, limit int) (next []byte, err error) {
	bodies := b.tx.Bucket(bucketBodies).Cursor()
	var old [][]byte // a cursor must not be used while its bucket is changed
	c := b.tx.Bucket(bucketHeads).Cursor()
	for k, v := c.Seek(from); k != nil && (acceptedOf(v) < oldest || b.heads.bytes > b.store.opts.KeepHeadsBytes); k, v = c.Next() {
		if limit--; limit < 0 {
			next = bytes.Clone(k)
			break
		}
		if waiting, _ := bodies.Seek(k); !bytes.Equal(waiting, k) {
			b.heads.add(v, -1)
			old = append(old, bytes.Clone(k))
		}
	}
	for _, k := range old {
		if err := b.remove(bucketHeads, k); err != nil {
			return nil, err
		}
	}
	return next, nil
}
