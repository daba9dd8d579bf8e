package natsstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	secretBytes  = 32
	secretPrefix = "secret."
	// keyFloor holds the sequence up to which all packs of messages are finished, as
	// eight bytes. It is written before the events of those calls are purged: should
	// the consumer ever remember less, their absence must not be taken for calls that
	// were never placed.
	keyFloor = "messages.floor"
)

// Secret returns the secret of that name: 32 random bytes that are made at the first call
// and stay the same for the life of the data directory.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	if !isToken(name) {
		return nil, fmt.Errorf("%q is no name of a secret", name)
	}
	sess, err := s.session()
	if err != nil {
		return nil, err
	}
	have, err := sess.readSecret(ctx, name)
	if !errors.Is(err, jetstream.ErrKeyNotFound) {
		return have, err
	}
	fresh := make([]byte, secretBytes)
	_, _ = rand.Read(fresh) // never fails
	_, err = sess.meta.Create(ctx, secretPrefix+name, fresh)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return sess.readSecret(ctx, name) // somebody else was faster
	}
	if err != nil {
		return nil, fmt.Errorf("store secret %q: %w", name, err)
	}
	return fresh, nil
}

func (sess *session) readSecret(ctx context.Context, name string) ([]byte, error) {
	entry, err := sess.meta.Get(ctx, secretPrefix+name)
	if err != nil {
		return nil, fmt.Errorf("read secret %q: %w", name, err)
	}
	if len(entry.Value()) != secretBytes {
		return nil, fmt.Errorf("read secret %q: it has %d bytes instead of %d", name, len(entry.Value()), secretBytes)
	}
	return entry.Value(), nil
}

// readFloor returns the floor that was written last; 0 = none.
func (s *Store) readFloor(ctx context.Context, sess *session) (uint64, error) {
	entry, err := sess.meta.Get(ctx, keyFloor)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the floor of messages: %w", err)
	}
	if len(entry.Value()) != 8 {
		return 0, fmt.Errorf("read the floor of messages: it has %d bytes instead of 8", len(entry.Value()))
	}
	return binary.BigEndian.Uint64(entry.Value()), nil
}

func (s *Store) writeFloor(ctx context.Context, sess *session, floor uint64) error {
	if _, err := sess.meta.Put(ctx, keyFloor, binary.BigEndian.AppendUint64(nil, floor)); err != nil {
		return fmt.Errorf("write the floor of messages: %w", err)
	}
	return nil
}
