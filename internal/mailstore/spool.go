package mailstore

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"tidings/internal/boltfile"
	"tidings/internal/email"
)

// Put stores messages, all or none, and returns once they are on disk; from then on they are shared and must not be changed. It fails
// with fault.Unavailable when there is no room, when the disk refuses, and at shutdown. When ctx ends before, they may be
// kept, and sent, all the same. Their IDs must be new.
func (s *Store) Put(ctx context.Context, all ...email.Letter) error {
	if len(all) == 0 {
		return nil
	}
	letters := make([]letter, len(all))
	for i := range all {
		if err := s.pack(&letters[i], &all[i]); err != nil {
			return err
		}
	}
	return s.commit(ctx, &change{letters: letters, after: func() { s.spool.add(letters) }})
}

// pack makes records of a letter.
func (s *Store) pack(to *letter, l *email.Letter) (err error) {
	if l.Message.ID == "" || len(l.Message.ID) > longestName {
		return fmt.Errorf("a mail has an ID of %d bytes", len(l.Message.ID))
	}
	to.key, to.body = []byte(l.Message.ID), l.Raw
	brief := l.Message.Set == ""
	if to.head, err = encodeHead(&l.Message, brief); err != nil {
		return err
	}
	if brief {
		if to.body, err = joinBody(&l.Message, l.Raw); err != nil {
			return err
		}
	}
	if to.body == nil {
		to.body = []byte{}
	}
	to.mail = &mail{
		id: l.Message.ID, due: milliseconds(l.Message.Accepted), size: uint32(len(to.body)),
		kept: &kept{message: l.Message, raw: l.Raw, size: int64(2*len(to.head) + len(to.body) + overhead)},
	}
	return nil
}

// overhead is about what a mail in memory takes beside what is written of it.
const overhead = 512

// Next waits for a message whose time has come, and hands it out: those that are due for longest first, and of these those that were
// accepted first. A message that was never tried is due since it was accepted; its state has all recipients open. A Job belongs
// to one goroutine at a time; its message and content must not be changed.
func (s *Store) Next(ctx context.Context) (email.Job, error) {
	for {
		if s.life.Err() != nil {
			return email.Job{}, boltfile.Closed()
		}
		m, err := s.spool.take(ctx, s.life.Done())
		if err != nil {
			return email.Job{}, err
		}
		j, err := s.open(m)
		if err == nil {
			return j.hand(), nil
		}
		if s.life.Err() != nil {
			return email.Job{}, boltfile.Closed()
		}
		s.opts.Log.Error("mail cannot be read, it is tried again later", "message", m.id, "err", err)
		s.spool.push(m, milliseconds(time.Now().Add(unreadable)))
	}
}

// unreadable is how long a mail rests that could not be read.
const unreadable = time.Minute

// job is a mail in hand.
type job struct {
	store   *Store
	mail    *mail
	message email.Message
	state   email.State
	ended   atomic.Bool
}

// open makes a job of a mail that was taken. It reads what is not in memory.
func (s *Store) open(m *mail) (*job, error) {
	j := &job{store: s, mail: m}
	var err error
	if m.kept != nil {
		j.message = m.kept.message
		j.state, err = decodeState(m.kept.state, len(j.message.Recipients))
		return j, err
	}
	err = s.db.Read(func(tx *bbolt.Tx) error {
		j.message, j.state, err = readMail(tx, m.id)
		return err
	})
	return j, err
}

// readMail reads a mail that waits, without its content.
func readMail(tx *bbolt.Tx, id string) (message email.Message, state email.State, err error) {
	key := []byte(id)
	head := tx.Bucket(bucketHeads).Get(key)
	if head == nil {
		return message, state, fmt.Errorf("mail %s has no head", id)
	}
	message, brief, err := decodeHead(id, head)
	if err == nil && brief {
		message, _, err = splitBody(id, tx.Bucket(bucketBodies).Get(key))
	}
	if err != nil {
		return message, state, err
	}
	state, err = decodeState(tx.Bucket(bucketStates).Get(key), len(message.Recipients))
	return message, state, err
}

func (j *job) hand() email.Job {
	return email.Job{
		Message: j.message, State: j.state, Content: j.content, Save: j.save, Done: j.done, Wait: j.wait, Release: j.release,
	}
}

// content returns the message as it was accepted.
func (j *job) content(context.Context) (raw []byte, err error) {
	if k := j.mail.kept; k != nil {
		return k.raw, nil
	}
	err = j.store.db.Read(func(tx *bbolt.Tx) error {
		raw = tx.Bucket(bucketBodies).Get([]byte(j.mail.id))
		if j.message.Set == "" {
			if _, raw, err = splitBody(j.mail.id, raw); err != nil {
				return err
			}
		}
		raw = slices.Clone(raw)
		return nil
	})
	return raw, err
}

// save returns once the state is on disk. What is under way is waited for even if ctx ends: else the next who has the message
// might see an older state than the disk.
func (j *job) save(ctx context.Context, state email.State) error {
	value, err := encodeState(&state)
	if err != nil {
		return err
	}
	if err := j.store.commit(context.WithoutCancel(ctx), &change{edit: j.put(value)}); err != nil {
		return err
	}
	if k := j.mail.kept; k != nil {
		k.state = value
	}
	return nil
}

// put returns the edit that stores a state.
func (j *job) put(state []byte) func(b *batch, _ *change) error {
	return func(b *batch, _ *change) error { return b.put(bucketStates, []byte(j.mail.id), state) }
}

// done has the content and the state removed.
func (j *job) done() {
	if j.ended.Swap(true) {
		return
	}
	m := j.mail
	j.store.spool.drop(m)
	j.store.later(&change{
		edit: func(b *batch, _ *change) error {
			if err := b.remove(bucketBodies, []byte(m.id)); err != nil {
				return err
			}
			return b.remove(bucketStates, []byte(m.id))
		},
		after: func() { j.store.spool.forget(m) },
	})
}

// wait has the state stored, and the mail handed out again once that is done and its time has come. A mail that waits is on disk
// alone.
func (j *job) wait(state email.State) {
	if j.ended.Swap(true) {
		return
	}
	value, err := encodeState(&state)
	if err != nil { // as it was, then: its record cannot be made
		j.store.opts.Log.Error("state of a mail is lost", "message", j.mail.id, "err", err)
		j.store.spool.push(j.mail, milliseconds(state.Due))
		return
	}
	m, due := j.mail, milliseconds(state.Due)
	if state.Due.IsZero() {
		due = milliseconds(time.Now())
	}
	j.store.spool.drop(m)
	j.store.later(&change{edit: j.put(value), after: func() { j.store.spool.push(m, due) }})
}

// release hands the mail back as it is.
func (j *job) release() {
	if j.ended.Swap(true) {
		return
	}
	j.store.spool.push(j.mail, j.mail.due)
}

// Find returns a message that was accepted and is remembered still. Of a message without a configuration set, of which no event is
// published, neither its header nor its tags are remembered.
func (s *Store) Find(_ context.Context, id string) (m email.Message, ok bool, err error) {
	if id == "" || len(id) > bbolt.MaxKeySize {
		return m, false, nil
	}
	err = s.db.Read(func(tx *bbolt.Tx) error {
		head := tx.Bucket(bucketHeads).Get([]byte(id))
		if head == nil {
			return nil
		}
		ok = true
		m, _, err = decodeHead(id, head)
		return err
	})
	return m, ok && err == nil, err
}
