package mailstore

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

type identityRecord struct {
	Version           int               `cbor:"0,keyasint"`
	Created           int64             `cbor:"1,keyasint"` // Unix milliseconds
	Verified          bool              `cbor:"2,keyasint,omitempty"`
	Token             string            `cbor:"3,keyasint,omitempty"`
	DKIM              bool              `cbor:"4,keyasint,omitempty"`
	Selector          string            `cbor:"5,keyasint,omitempty"`
	Key               []byte            `cbor:"6,keyasint,omitempty"`
	MailFrom          string            `cbor:"7,keyasint,omitempty"`
	MailFromOnFailure string            `cbor:"8,keyasint,omitempty"`
	Forwarding        bool              `cbor:"9,keyasint,omitempty"`
	Topics            map[string]string `cbor:"10,keyasint,omitempty"`
	HeadersIn         map[string]bool   `cbor:"11,keyasint,omitempty"`
	Policies          map[string]string `cbor:"12,keyasint,omitempty"`
	Set               string            `cbor:"13,keyasint,omitempty"`
	Tags              map[string]string `cbor:"14,keyasint,omitempty"`
}

func encodeIdentity(i *email.Identity) ([]byte, error) {
	return marshal("an identity", &identityRecord{
		Version: recordVersion, Created: i.Created.UnixMilli(), Verified: i.Verified, Token: i.Token, DKIM: i.DKIM, Selector: i.Selector, Key: i.Key,
		MailFrom: i.MailFrom, MailFromOnFailure: i.MailFromOnFailure, Forwarding: i.Forwarding, Topics: i.Topics, HeadersIn: i.HeadersIn,
		Policies: i.Policies, Set: i.Set, Tags: i.Tags,
	})
}

func decodeIdentity(name string, value []byte) (*email.Identity, error) {
	var r identityRecord
	if err := unmarshal("an identity", value, &r, &r.Version); err != nil {
		return nil, err
	}
	return &email.Identity{
		Name: name, Created: time.UnixMilli(r.Created).UTC(), Verified: r.Verified, Token: r.Token, DKIM: r.DKIM, Selector: r.Selector, Key: r.Key,
		MailFrom: r.MailFrom, MailFromOnFailure: r.MailFromOnFailure, Forwarding: r.Forwarding, Topics: r.Topics, HeadersIn: r.HeadersIn,
		Policies: r.Policies, Set: r.Set, Tags: r.Tags,
	}, nil
}

func cloneIdentity(i *email.Identity) *email.Identity {
	if i == nil {
		return nil
	}
	c := *i
	c.Key = slices.Clone(i.Key)
	c.Topics, c.HeadersIn, c.Policies, c.Tags = maps.Clone(i.Topics), maps.Clone(i.HeadersIn), maps.Clone(i.Policies), maps.Clone(i.Tags)
	return &c
}

// identities are all of them, in memory: they are asked for with every mail. One takes some 2 KB with a key.
type identities struct {
	changing sync.Mutex // held by who changes one

	mu  sync.RWMutex
	all map[string]*email.Identity // by key
}

func newIdentities() *identities { return &identities{all: map[string]*email.Identity{}} }

func (i *identities) read(tx *bbolt.Tx) error {
	return tx.Bucket(bucketIdentities).ForEach(func(k, v []byte) error {
		_, name, err := parseOwner(k)
		if err != nil {
			return err
		}
		i.all[string(k)], err = decodeIdentity(name, v)
		return err
	})
}

func (i *identities) get(key []byte) *email.Identity {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.all[string(key)]
}

// set puts an identity in place; nil = there is none.
func (i *identities) set(key []byte, one *email.Identity) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if one == nil {
		delete(i.all, string(key))
		return
	}
	i.all[string(key)] = one
}

// Identity returns an identity. It is shared and must not be changed.
func (s *Store) Identity(_ context.Context, t tenant.Tenant, name string) (*email.Identity, bool, error) {
	one := s.identities.get(ownerKey(t, name))
	return one, one != nil, nil
}

// Identities returns up to limit identities in the order of names, beginning behind after.
func (s *Store) Identities(ctx context.Context, t tenant.Tenant, after string, limit int) (all []*email.Identity, more bool, err error) {
	more, err = s.page(ctx, bucketIdentities, t, after, limit, func(_ *bbolt.Tx, name string, value []byte) (bool, error) {
		one, err := decodeIdentity(name, value)
		all = append(all, one)
		return true, err
	})
	return all, more, err
}

// ChangeIdentity calls edit with a copy of the identity, nil if there is none, and stores what it returns; nil = it is removed. An error of
// edit is returned, and then nothing has changed. Changes are made one after the other; what has begun to be written is waited for
// even if ctx ends.
func (s *Store) ChangeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*email.Identity) (*email.Identity, error)) error {
	if err := checkName(fault.EmailIdentity, name); err != nil {
		return err
	}
	key := ownerKey(t, name)
	s.identities.changing.Lock()
	defer s.identities.changing.Unlock()
	before := s.identities.get(key)
	next, err := edit(cloneIdentity(before))
	if err != nil || before == nil && next == nil {
		return err
	}
	var value []byte
	if next = cloneIdentity(next); next != nil {
		next.Name = name
		if value, err = encodeIdentity(next); err != nil {
			return err
		}
	}
	return s.commit(context.WithoutCancel(ctx), &change{
		edit: func(b *batch, _ *change) error {
			if next == nil {
				return b.remove(bucketIdentities, key)
			}
			return b.put(bucketIdentities, key, value)
		},
		after: func() { s.identities.set(key, next) },
	})
}
