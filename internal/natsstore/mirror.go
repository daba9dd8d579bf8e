package natsstore

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// mirror is a bucket of which all is kept in memory.
type mirror struct {
	store *Store
	// apply takes one entry over.
	apply func(jetstream.KeyValueEntry) error
	// unreadable is told what could not be taken over, once the store is open.
	unreadable func(key string, err error)
}

// watch takes over what is in the bucket, returns when that is complete, and follows changes
// until the session ends.
func (m mirror) watch(ctx context.Context, sess *session, w jetstream.KeyWatcher) error {
	for {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), w.Stop())
		case <-sess.ctx.Done():
			return context.Cause(sess.ctx)
		case entry, ok := <-w.Updates():
			if !ok {
				return errConnectionLost
			}
			if entry == nil { // all that was there has come
				m.store.spawn(func() { m.follow(sess, w) })
				return nil
			}
			if err := m.apply(entry); err != nil {
				return errors.Join(err, w.Stop())
			}
		}
	}
}

func (m mirror) follow(sess *session, w jetstream.KeyWatcher) {
	for {
		select {
		case <-m.store.life.Done():
			return
		case <-sess.ctx.Done():
			return
		case entry, ok := <-w.Updates():
			if !ok {
				return
			}
			if entry == nil {
				continue
			}
			if err := m.apply(entry); err != nil {
				m.unreadable(entry.Key(), err)
			}
		}
	}
}
