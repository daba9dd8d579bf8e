package boltstore

import (
	"bytes"
	"encoding/binary"
	"strings"

	"go.etcd.io/bbolt"

	"tidings/internal/pinpoint"
)

// cut divides at the first slash.
func cut(s string) (before, after string, ok bool) { return strings.Cut(s, "/") }

// appKey is the key of an app. Neither accounts nor regions have slashes.
func appKey(app pinpoint.AppKey) []byte {
	return []byte(app.Tenant.Account + "/" + app.Tenant.Region + "/" + app.App)
}

func (n number) bytes() []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

func endpointKey(n number, id string) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(id)), uint32(n)), id...)
}

// What an endpoint is found by beside its ID.
const (
	indexUser    = 'u' // the ID of its user
	indexAddress = 'a' // its address, as long as it is active
)

// indexPrefix is how the keys of all endpoints begin that are found by the text. The length in
// front keeps texts apart of which one begins with the other.
func indexPrefix(n number, kind byte, text string) []byte {
	k := binary.BigEndian.AppendUint32(make([]byte, 0, 4+1+2+len(text)+64), uint32(n))
	k = append(k, kind)
	k = binary.BigEndian.AppendUint16(k, uint16(len(text)))
	return append(k, text...)
}

// indexed returns the IDs that are found by the text, in order, at most limit.
func indexed(tx *bbolt.Tx, n number, kind byte, text string, limit int) (ids []string) {
	prefix := indexPrefix(n, kind, text)
	c := tx.Bucket(bucketIndex).Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix) && len(ids) < limit; k, _ = c.Next() {
		ids = append(ids, string(k[len(prefix):]))
	}
	return ids
}

const wordKeyLength = 4 + 1 + 8

func wordKey(n number, w pinpoint.Word) []byte {
	k := binary.BigEndian.AppendUint32(make([]byte, 0, wordKeyLength), uint32(n))
	return binary.BigEndian.AppendUint64(append(k, byte(w.Kind)), w.Hash)
}

// eachKey visits the keys that begin with the prefix.
func eachKey(b *bbolt.Bucket, prefix []byte, visit func(k []byte) error) error {
	c := b.Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if err := visit(k); err != nil {
			return err
		}
	}
	return nil
}
