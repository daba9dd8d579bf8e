package awsapi

import (
	"context"
	"crypto/rand"
	"fmt"
)

// RequestIDHeader carries the request's ID in every reply.
// Source: Smithy documentation, "AWS restJson1 protocol"; SDKs print it in their errors.
const RequestIDHeader = "x-amzn-RequestId"

type requestIDKey struct{}

// newRequestID returns a random UUID, version 4 (RFC 9562 5.4), the form AWS uses.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// RequestID returns the ID of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
