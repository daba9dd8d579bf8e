package natsstore

import (
	"fmt"
	"strconv"

	"github.com/fxamacker/cbor/v2"
	"github.com/nats-io/nats.go"
)

// A pack is one JetStream message whose body is a CBOR sequence (RFC 8742) of records.
// Its header tells how many they are, so that packs can be counted without reading them.
const (
	headerVersion = "Tidings-Version"
	headerCount   = "Tidings-Count"
	// headerMark is the last sequence of the event log that was known when a pack of
	// messages was committed: no event of its messages has a lower one.
	headerMark = "Tidings-Mark"
)

// packVersion is the version of the packs written. Packs of another are refused.
const packVersion = "1"

const (
	// maxPackRecords and maxPackBytes bound a pack. A single commit above them travels
	// alone, up to the server's payload limit.
	maxPackRecords = 4096
	maxPackBytes   = 1 << 20
	// maxPayload is the largest body the embedded server takes.
	maxPayload = 8 << 20
)

// appendRecords encodes the records one behind the other onto buf.
func appendRecords[S, R any](buf []byte, all []S, record func(*S) R) ([]byte, error) {
	for i := range all {
		r := record(&all[i])
		b, err := cbor.Marshal(&r)
		if err != nil {
			return nil, fmt.Errorf("encode record: %w", err)
		}
		buf = append(buf, b...)
	}
	return buf, nil
}

// newPack makes the message of a pack.
func newPack(subject string, body []byte, count int) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Header[headerVersion] = []string{packVersion}
	m.Header[headerCount] = []string{strconv.Itoa(count)}
	m.Data = body
	return m
}

// countOf reads how many records a pack has from its header.
func countOf(h nats.Header) (int, error) {
	if v := h.Get(headerVersion); v != packVersion {
		return 0, fmt.Errorf("pack has version %q, this program knows %q", v, packVersion)
	}
	n, err := strconv.Atoi(h.Get(headerCount))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("pack has the count %q", h.Get(headerCount))
	}
	return n, nil
}

// decodePack reads the records of a pack one by one into the same variable and calls each
// with it, in order.
func decodePack[R any](h nats.Header, body []byte, each func(i int, r *R)) error {
	n, err := countOf(h)
	if err != nil {
		return err
	}
	for i := range n {
		var r R
		if body, err = cbor.UnmarshalFirst(body, &r); err != nil {
			return fmt.Errorf("decode record %d of %d: %w", i+1, n, err)
		}
		each(i, &r)
	}
	if len(body) != 0 {
		return fmt.Errorf("pack has %d bytes behind its %d records", len(body), n)
	}
	return nil
}
