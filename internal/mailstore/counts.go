package mailstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

const (
	// span is what one set of counts is about, and counted is how long it is kept.
	// Source: SES API Reference, "GetSendStatistics": the last two weeks, in intervals of 15 minutes.
	span    = 15 * time.Minute
	counted = 14 * 24 * time.Hour
)

type countsRecord struct {
	Version    int   `cbor:"0,keyasint"`
	Attempts   int64 `cbor:"1,keyasint,omitempty"`
	Bounces    int64 `cbor:"2,keyasint,omitempty"`
	Complaints int64 `cbor:"3,keyasint,omitempty"`
	Rejections int64 `cbor:"4,keyasint,omitempty"`
}

// spanKey says what counts are about.
type spanKey struct {
	owner tenant.Tenant
	from  int64 // Unix seconds
}

func (k spanKey) bytes() []byte {
	return binary.BigEndian.AppendUint64(ownerKey(k.owner, ""), uint64(k.from))
}

// counts are all of them, in memory. They are written each minute.
type counts struct {
	mu      sync.Mutex
	all     map[spanKey]*email.Counts
	changed map[spanKey]bool // since they were written
}

func newCounts() *counts {
	return &counts{all: map[spanKey]*email.Counts{}, changed: map[spanKey]bool{}}
}

func (x *counts) read(tx *bbolt.Tx) error {
	return tx.Bucket(bucketCounts).ForEach(func(k, v []byte) error {
		owner, from, err := parseOwner(k)
		if err != nil {
			return err
		}
		if len(from) != 8 {
			return fmt.Errorf("%q is no key of counts", k)
		}
		var r countsRecord
		if err := unmarshal("counts", v, &r, &r.Version); err != nil {
			return err
		}
		key := spanKey{owner, int64(binary.BigEndian.Uint64([]byte(from)))}
		x.all[key] = &email.Counts{
			From: time.Unix(key.from, 0).UTC(), Attempts: r.Attempts, Bounces: r.Bounces, Complaints: r.Complaints, Rejections: r.Rejections,
		}
		return nil
	})
}

// Count adds to the counts of the span that at lies in. A crash may lose a minute.
func (s *Store) Count(t tenant.Tenant, at time.Time, add email.Counts) {
	from := at.Truncate(span)
	key := spanKey{t, from.Unix()}
	x := s.counts
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.all[key]
	if c == nil {
		c = &email.Counts{From: from.UTC()}
		x.all[key] = c
	}
	c.Attempts += add.Attempts
	c.Bounces += add.Bounces
	c.Complaints += add.Complaints
	c.Rejections += add.Rejections
	x.changed[key] = true
}

// Statistics returns the spans of the last two weeks that have any counts, oldest first.
func (s *Store) Statistics(_ context.Context, t tenant.Tenant) ([]email.Counts, error) {
	first := time.Now().Add(-counted)
	x := s.counts
	x.mu.Lock()
	defer x.mu.Unlock()
	var all []email.Counts
	for key, c := range x.all {
		if key.owner == t && !c.From.Before(first) {
			all = append(all, *c)
		}
	}
	slices.SortFunc(all, func(a, b email.Counts) int { return cmp.Compare(a.From.Unix(), b.From.Unix()) })
	return all, nil
}

// keepCounts writes the counts that have changed and removes those that are too old.
func (s *Store) keepCounts(now time.Time) {
	changed := s.counts.take(now)
	if len(changed) == 0 {
		return
	}
	err := s.commit(s.life, &change{edit: func(b *batch, _ *change) error { return writeCounts(b, changed) }})
	if err != nil {
		s.counts.giveBack(changed)
	}
}

func writeCounts(b *batch, changed []countsChange) error {
	for _, c := range changed {
		err := error(nil)
		if c.value == nil {
			err = b.remove(bucketCounts, c.key.bytes())
		} else {
			err = b.put(bucketCounts, c.key.bytes(), c.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// countsChange is what is to be written of a span; nil = it is removed.
type countsChange struct {
	key   spanKey
	value []byte
}

// take returns what is to be written, and forgets what is too old.
func (x *counts) take(now time.Time) (all []countsChange) {
	oldest := now.Add(-counted - span).Unix()
	x.mu.Lock()
	defer x.mu.Unlock()
	for key, c := range x.all {
		if key.from < oldest {
			delete(x.all, key)
			delete(x.changed, key)
			all = append(all, countsChange{key: key})
			continue
		}
		if !x.changed[key] {
			continue
		}
		value, err := marshal("counts", &countsRecord{
			Version: recordVersion, Attempts: c.Attempts, Bounces: c.Bounces, Complaints: c.Complaints, Rejections: c.Rejections,
		})
		if err != nil {
			continue // four numbers always have a record
		}
		all = append(all, countsChange{key, value})
		delete(x.changed, key)
	}
	return all
}

// giveBack notes that the changes were not written.
func (x *counts) giveBack(all []countsChange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range all {
		if c.value != nil {
			x.changed[c.key] = true
		}
	}
}
