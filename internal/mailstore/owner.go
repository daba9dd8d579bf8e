package mailstore

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"

	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// ownerKey is how the keys begin of what an account has in a region. Neither accounts nor regions have slashes.
func ownerKey(t tenant.Tenant, name string) []byte {
	k := make([]byte, 0, len(t.Account)+len(t.Region)+len(name)+2)
	k = append(append(k, t.Account...), '/')
	k = append(append(k, t.Region...), '/')
	return append(k, name...)
}

// parseOwner undoes ownerKey.
func parseOwner(key []byte) (t tenant.Tenant, name string, err error) {
	account, rest, ok1 := strings.Cut(string(key), "/")
	region, name, ok2 := strings.Cut(rest, "/")
	if !ok1 || !ok2 {
		return t, "", fmt.Errorf("%q does not begin with an account and a region", key)
	}
	return tenant.Tenant{Account: account, Region: region}, name, nil
}

// longestName bounds what accounts may name things, so that a key fits: bbolt allows 32 KiB. The rules of email allow less.
const longestName = 16 << 10

func checkName(resource, name string) error {
	if name == "" || len(name) > longestName {
		return fault.New(fault.Invalid, resource, "A name has 1 to %d bytes, not %d.", longestName, len(name))
	}
	return nil
}

// page visits up to limit records of the tenant in the order of their names, beginning behind after, and reports whether there are more.
// visit says whether a record counts.
func (s *Store) page(ctx context.Context, bucket []byte, t tenant.Tenant, after string, limit int, visit func(tx *bbolt.Tx, name string, value []byte) (bool, error)) (more bool, err error) {
	prefix := ownerKey(t, "")
	err = s.db.Read(func(tx *bbolt.Tx) error {
		from := ownerKey(t, after)
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if after != "" && bytes.Equal(k, from) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if limit <= 0 {
				more = true
				return nil
			}
			counts, err := visit(tx, string(k[len(prefix):]), v)
			if err != nil {
				return err
			}
			if counts {
				limit--
			}
		}
		return nil
	})
	return more, err
}

func marshal(what string, record any) ([]byte, error) {
	b, err := cbor.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", what, err)
	}
	return b, nil
}

func unmarshal(what string, value []byte, record any, version *int) error {
	if err := cbor.Unmarshal(value, record); err != nil {
		return fmt.Errorf("decode %s: %w", what, err)
	}
	if *version != recordVersion {
		return fmt.Errorf("decode %s: its record has version %d, this program knows %d", what, *version, recordVersion)
	}
	return nil
}
