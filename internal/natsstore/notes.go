package natsstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

const notePrefix = "note."

// Note returns what was noted under the key, which consists of letters, digits, hyphens
// and underscores; nil = nothing.
func (s *Store) Note(ctx context.Context, key string) ([]byte, error) {
	if !isToken(key) {
		return nil, fmt.Errorf("%q is no key of a note", key)
	}
	sess, err := s.session()
	if err != nil {
		return nil, err
	}
	ctx, cancel := sess.within(ctx)
	defer cancel()
	entry, err := sess.meta.Get(ctx, notePrefix+key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read note %q: %w", key, sess.explain(err))
	}
	return entry.Value(), nil
}

// SetNote notes a value under the key in place of what was there. It is durable on return.
func (s *Store) SetNote(ctx context.Context, key string, value []byte) error {
	if !isToken(key) {
		return fmt.Errorf("%q is no key of a note", key)
	}
	sess, err := s.session()
	if err != nil {
		return err
	}
	ctx, cancel := sess.within(ctx)
	defer cancel()
	if _, err := sess.meta.Put(ctx, notePrefix+key, value); err != nil {
		return fmt.Errorf("write note %q: %w", key, unavailable(sess.explain(err)))
	}
	return nil
}
