package mailstore

import (
	"context"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

type suppressedRecord struct {
	Version int    `cbor:"0,keyasint"`
	Reason  string `cbor:"1,keyasint"`
	Updated int64  `cbor:"2,keyasint"` // Unix milliseconds
	Message string `cbor:"3,keyasint,omitempty"`
	Feed    string `cbor:"4,keyasint,omitempty"`
}

func decodeSuppressed(address string, value []byte) (*email.Suppressed, error) {
	var r suppressedRecord
	if err := unmarshal("a suppressed address", value, &r, &r.Version); err != nil {
		return nil, err
	}
	return &email.Suppressed{Address: address, Reason: r.Reason, Updated: time.UnixMilli(r.Updated).UTC(), Message: r.Message, Feed: r.Feed}, nil
}

// Suppressed returns an entry of the suppression list. It costs a search in the tree, some microseconds with a million entries.
func (s *Store) Suppressed(_ context.Context, t tenant.Tenant, address string) (one *email.Suppressed, ok bool, err error) {
	key := ownerKey(t, address)
	err = s.db.Read(func(tx *bbolt.Tx) error {
		value := tx.Bucket(bucketSuppressed).Get(key)
		if value == nil {
			return nil
		}
		one, err = decodeSuppressed(address, value)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return one, one != nil, nil
}

// SuppressedList returns up to limit entries of the reasons (none = all) that were updated in [since, until), zero = not bounded, in the
// order of addresses, beginning behind after.
func (s *Store) SuppressedList(ctx context.Context, t tenant.Tenant, reasons []string, since, until time.Time, after string, limit int) (all []*email.Suppressed, more bool, err error) {
	var beyond *email.Suppressed // the one behind the last: only it tells that there are more that match
	_, err = s.page(ctx, bucketSuppressed, t, after, limit+1, func(_ *bbolt.Tx, address string, value []byte) (bool, error) {
		one, err := decodeSuppressed(address, value)
		switch {
		case err != nil:
			return false, err
		case len(reasons) > 0 && !slices.Contains(reasons, one.Reason):
			return false, nil
		case !since.IsZero() && one.Updated.Before(since), !until.IsZero() && !one.Updated.Before(until):
			return false, nil
		case len(all) == limit:
			beyond = one
			return true, nil
		}
		all = append(all, one)
		return true, nil
	})
	return all, beyond != nil, err
}

// PutSuppressed stores an entry, in the place of an older one.
func (s *Store) PutSuppressed(ctx context.Context, t tenant.Tenant, one *email.Suppressed) error {
	if err := checkName(fault.SuppressedAddress, one.Address); err != nil {
		return err
	}
	value, err := marshal("a suppressed address", &suppressedRecord{
		Version: recordVersion, Reason: one.Reason, Updated: one.Updated.UnixMilli(), Message: one.Message, Feed: one.Feed,
	})
	if err != nil {
		return err
	}
	return s.commit(ctx, &change{edit: func(b *batch, _ *change) error { return b.put(bucketSuppressed, ownerKey(t, one.Address), value) }})
}

// DeleteSuppressed removes an entry and reports whether there was one.
func (s *Store) DeleteSuppressed(ctx context.Context, t tenant.Tenant, address string) (had bool, err error) {
	key := ownerKey(t, address)
	c := &change{edit: func(b *batch, c *change) error {
		if c.had = b.tx.Bucket(bucketSuppressed).Get(key) != nil; !c.had {
			return nil
		}
		return b.remove(bucketSuppressed, key)
	}}
	if err := s.commit(ctx, c); err != nil {
		return false, err
	}
	return c.had, nil
}
