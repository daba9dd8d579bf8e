package mailstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tidings/internal/boltfile"

	"go.etcd.io/bbolt"
)

// change is what is to be written: letters, or an edit.
type change struct {
	letters []letter
	// edit changes what the transaction sees. What it returns ends the whole transaction; a refusal, for its caller alone, it
	// leaves in the change, and then it must not have changed anything.
	edit    func(b *batch, c *change) error
	refusal error
	had     bool       // there was what the edit has removed; to be read once the change is on disk
	grows   bool       // it is refused when the store is full, as letters are
	after   func()     // is called by the writer when the change is on disk; may be nil
	done    chan error // nil = nobody waits for the change: it is tried until it succeeds
}

// letter is a mail on its way to the disk.
type letter struct {
	key, head, body []byte
	mail            *mail
}

const (
	// maxWaiting bounds the changes that wait to be written; beyond it callers wait to be heard.
	maxWaiting = 4096
	// maxTogether and maxBytesTogether bound a transaction, and so its memory and its length.
	maxTogether      = 4096
	maxBytesTogether = 32 << 20
	// lateness is how long a change is held back that nobody waits for, so that it can be written together with others.
	lateness = 50 * time.Millisecond
	// rest is how long no mail is tried after the disk has refused some: each time costs a look through the file.
	rest = 250 * time.Millisecond
)

// commit returns when the change is on disk. When ctx ends before, it may be written all the same.
func (s *Store) commit(ctx context.Context, c *change) error {
	if s.life.Err() != nil {
		return boltfile.Closed()
	}
	c.done = make(chan error, 1)
	select {
	case s.changes <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return boltfile.Closed()
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
	}
	// The writer answers everything that it has taken before it ends.
	s.writing.Wait()
	select {
	case err := <-c.done:
		return err
	default:
		return boltfile.Closed()
	}
}

// later has a change written that nobody waits for. It waits only when very many wait, or while the disk refuses everything.
func (s *Store) later(c *change) {
	if s.life.Err() != nil {
		return
	}
	select {
	case s.changes <- c:
	case <-s.life.Done():
	}
}

// write writes until the store closes, and then what still waits.
func (s *Store) write() {
	var again []*change // nobody waits for them, and they could not be written
	for open := true; open; {
		var all []*change
		all, open = s.gather(again)
		again = s.settle(all)
		if len(again) > 0 && open {
			select {
			case <-time.After(rest):
			case <-s.life.Done():
			}
		}
	}
}

// gather returns the changes of the next transaction: at once if somebody waits for one of them. open = false: the store closes,
// and these are the last.
func (s *Store) gather(all []*change) (_ []*change, open bool) {
	timer := time.NewTimer(lateness)
	defer timer.Stop()
	if len(all) == 0 {
		timer.Stop()
	}
	open = true
	for urgent := false; !urgent; {
		select {
		case c := <-s.changes:
			if len(all) == 0 {
				timer.Reset(lateness)
			}
			all = append(all, c)
			urgent = c.done != nil || len(all) >= maxTogether
		case <-timer.C:
			urgent = true
		case <-s.life.Done():
			urgent, open = true, false
		}
	}
	weight := 0
	for _, c := range all {
		weight += c.bytes()
	}
	for !open || len(all) < maxTogether && weight < maxBytesTogether {
		select {
		case c := <-s.changes:
			all = append(all, c)
			weight += c.bytes()
		default:
			return all, open
		}
	}
	return all, open
}

func (c *change) bytes() (n int) {
	for i := range c.letters {
		n += len(c.letters[i].head) + len(c.letters[i].body)
	}
	return n
}

// settle writes the changes and answers those who wait. What nobody waits for and could not be written is returned.
func (s *Store) settle(all []*change) (again []*change) {
	if time.Since(s.broken) < rest {
		all = s.refuse(all, s.db.Full(nil))
	}
	err := s.transact(all)
	if err != nil && slices.ContainsFunc(all, needsRoom) {
		// What needs no more room may have a place all the same.
		s.broken = time.Now()
		all = s.refuse(all, err)
		err = s.transact(all)
	}
	for _, c := range all {
		switch {
		case err != nil && c.done == nil:
			again = append(again, c)
			continue
		case err == nil && c.refusal == nil && c.after != nil:
			c.after()
		}
		if c.done != nil {
			c.done <- cmp.Or(c.refusal, err)
		}
	}
	return again
}

// needsRoom reports whether the change makes the file grow.
func needsRoom(c *change) bool { return c.grows || len(c.letters) > 0 }

// refuse answers the changes that need room, and returns the others.
func (s *Store) refuse(all []*change, err error) (others []*change) {
	return slices.DeleteFunc(all, func(c *change) bool {
		if needsRoom(c) {
			c.done <- err
		}
		return needsRoom(c)
	})
}

// transact writes the changes in one transaction: all but those that are refused, or none.
func (s *Store) transact(all []*change) error {
	began := time.Now()
	b := &batch{store: s, all: all}
	err := s.db.Update(b.write)
	switch {
	case errors.Is(err, errNothing):
		return nil
	case err == nil:
		s.metrics.committed(time.Since(began), b.records)
		return nil
	}
	s.opts.Log.Error("mails cannot be written", "err", err)
	return s.db.Refused(err)
}

// errNothing rolls a transaction back that has changed nothing.
var errNothing = errors.New("nothing has changed")

// batch is a transaction under way.
type batch struct {
	store   *Store
	tx      *bbolt.Tx
	all     []*change
	records int // that were written or removed
	heads   headCount
}

// write does all changes: letters first, in the order of their IDs, so that they are put down side by side.
func (b *batch) write(tx *bbolt.Tx) error {
	b.tx, b.heads = tx, readHeadCount(tx)
	before := b.heads
	letters, err := b.putLetters()
	if err != nil {
		return err
	}
	for _, c := range b.all {
		if c.edit == nil || c.refusal != nil {
			continue
		}
		if err := c.edit(b, c); err != nil {
			return err
		}
	}
	if err := b.sweepBehind(letters); err != nil {
		return err
	}
	if b.records == 0 {
		return errNothing // spares the sync
	}
	if b.heads == before {
		return nil
	}
	return b.heads.write(tx)
}

// put stores a record.
func (b *batch) put(bucket, key, value []byte) error {
	b.records++
	return b.tx.Bucket(bucket).Put(key, value)
}

// remove removes a record, if there is one.
func (b *batch) remove(bucket, key []byte) error {
	b.records++
	return b.tx.Bucket(bucket).Delete(key)
}

// putLetters stores the letters of all changes for which there is room, says how many, and refuses the others.
func (b *batch) putLetters() (n int, err error) {
	room := b.store.opts.MaxBytes - b.store.db.Used(b.tx)
	var letters []*letter
	for _, c := range b.all {
		c.refusal = nil
		if !needsRoom(c) {
			continue
		}
		if room -= int64(c.bytes()); room <= 0 {
			c.refusal = b.store.db.Full(nil)
			continue
		}
		for i := range c.letters {
			letters = append(letters, &c.letters[i])
		}
	}
	slices.SortFunc(letters, func(a, b *letter) int { return cmp.Compare(a.mail.id, b.mail.id) })
	heads, bodies := b.tx.Bucket(bucketHeads), b.tx.Bucket(bucketBodies)
	// Nearly all keys are behind those that are there: full pages stay full.
	heads.FillPercent, bodies.FillPercent = 1, 1
	for _, l := range letters {
		b.heads.add(l.head, 1)
		if err := heads.Put(l.key, l.head); err != nil {
			return 0, err
		}
	}
	for _, l := range letters {
		if err := bodies.Put(l.key, l.body); err != nil {
			return 0, err
		}
	}
	b.records += 2 * len(letters)
	return len(letters), nil
}
