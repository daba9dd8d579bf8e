package email

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// NewID returns a fresh ID for a message that was accepted at a time: 16 hex digits, of which the last 12 are the milliseconds
// since 1970, a random UUID (RFC 9562 section 5.4), and six zeros: the form of SES's IDs. IDs sort by their time.
func NewID(at time.Time) string {
	var b [24]byte
	b[0] = 0x01
	ms := uint64(at.UnixMilli())
	for i := 7; i > 1; i-- {
		b[i] = byte(ms)
		ms >>= 8
	}
	_, _ = rand.Read(b[8:]) // never fails: it ends the program instead
	b[14] = b[14]&0x0f | 0x40
	b[16] = b[16]&0x3f | 0x80

	id := make([]byte, 0, 60)
	for i, n := range []int{8, 4, 2, 2, 2, 6} {
		if i > 0 {
			id = append(id, '-')
		}
		id = hex.AppendEncode(id, b[:n])
		copy(b[:], b[n:])
	}
	return string(append(id, "-000000"...))
}
