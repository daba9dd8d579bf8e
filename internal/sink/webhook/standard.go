package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"maps"
	"net/http"
	"strconv"
	"sync/atomic"

	"tidings/internal/sink"
)

// batchBytes bounds the records of one request. With what stands around them, a request
// stays below 1 MiB, which is what nginx takes by default.
const batchBytes = 512 << 10

// standardSink posts events as Standard Webhooks.
type standardSink struct {
	*poster
	target string       // the ARN, as a JSON string
	most   atomic.Int64 // events in a request; fewer once the far end found a request too large
	closed atomic.Bool
}

func newStandardSink(p *poster, t sink.Target) *standardSink {
	s := &standardSink{poster: p, target: string(appendString(nil, t.ARN.String()))}
	s.most.Store(int64(p.driver.batch))
	return s
}

// Limits bounds a batch.
func (s *standardSink) Limits() sink.Limits {
	return sink.Limits{Count: int(s.most.Load()), Bytes: batchBytes}
}

// Close lets go of the connections if nobody else needs them.
func (s *standardSink) Close() error {
	if !s.closed.Swap(true) {
		s.driver.leave()
	}
	return nil
}

// Deliver posts the batch. A record that is no JSON fails for good, since nobody could read
// the request that it were in.
func (s *standardSink) Deliver(ctx context.Context, batch []sink.Delivery) error {
	if s.closed.Load() {
		return errClosed
	}
	var f failures
	good := make([]int, 0, len(batch))
	for i := range batch {
		if json.Valid(batch[i].Event.Record) {
			good = append(good, i)
		} else {
			f.add(sink.Permanent(errors.New("the record is no JSON")), i)
		}
	}
	for len(good) > 0 {
		n := min(len(good), int(s.most.Load()))
		err := s.send(ctx, batch, good[:n])
		switch {
		case err == nil:
		case isTooLarge(err) && n > 1:
			s.shrink(n)
			continue
		case errors.Is(err, sink.ErrPermanent):
			f.add(err, good[:n]...)
		default:
			f.add(err, good...) // do not press on
			return f.of(len(batch))
		}
		good = good[n:]
	}
	return f.of(len(batch))
}

// shrink halves what a request holds, after one with n events was too large. That lasts
// until the sink is opened again.
func (s *standardSink) shrink(n int) {
	for {
		most := s.most.Load()
		if most <= int64(n/2) || s.most.CompareAndSwap(most, int64(n/2)) {
			return
		}
	}
}

// send posts the deliveries of the batch that are in the list, in one request.
func (s *standardSink) send(ctx context.Context, batch []sink.Delivery, list []int) error {
	id, body := s.encode(batch, list)
	now := s.driver.now()
	var values [3]string
	values[0], values[1] = id, strconv.FormatInt(now.Unix(), 10)
	header := make(http.Header, len(s.driver.header)+len(values))
	maps.Copy(header, s.driver.header)
	header["Webhook-Id"], header["Webhook-Timestamp"] = values[0:1:1], values[1:2:2]
	if len(s.driver.signers) > 0 {
		var err error
		if values[2], err = s.driver.signers.sign(id, now, body); err != nil {
			return err
		}
		header["Webhook-Signature"] = values[2:3:3]
	}
	err := s.post(ctx, header, body)
	if isTooLarge(err) && len(list) == 1 {
		return sink.Permanent(err) // it will not get smaller
	}
	return err
}

// encode makes the body of a request, and its webhook-id, which is the same whenever the
// same deliveries are sent together.
func (s *standardSink) encode(batch []sink.Delivery, list []int) (id string, body []byte) {
	const around = 320 // bytes beside the record and the ARN, most often
	size := 0
	for _, i := range list {
		size += len(batch[i].Event.Record) + len(s.target) + around
	}
	body = make([]byte, 0, size)
	if s.driver.batch == 1 {
		id = messageID(batch[list[0]].ID)
		return id, s.appendEvent(body, &batch[list[0]], id)
	}
	h := sha256.New()
	for n, i := range list {
		body = append(body, "[,"[min(n, 1)])
		body = s.appendEvent(body, &batch[i], messageID(batch[i].ID))
		writeID(h, batch[i].ID)
	}
	return "msg_" + hex.EncodeToString(h.Sum(nil)[:16]), append(body, ']')
}

func writeID(h hash.Hash, id string) {
	_, _ = h.Write([]byte(id)) // never fails
	_, _ = h.Write([]byte{0})
}

// messageID makes a webhook-id of a delivery's ID, which may hold names that users chose:
// no full stop may get into a webhook-id.
// Source: Standard Webhooks 1.0.0, "Signature scheme".
func messageID(delivery string) string {
	sum := sha256.Sum256([]byte(delivery))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// timeForm is RFC 3339 in UTC with milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

// appendEvent appends the object of one event. The record stands in it byte for byte.
// Source of type, timestamp and data: Standard Webhooks 1.0.0, "Payload structure".
func (s *standardSink) appendEvent(b []byte, d *sink.Delivery, id string) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, id...)
	b = append(b, `","type":`...)
	b = appendString(b, string(d.Event.Type))
	b = append(b, `,"timestamp":"`...)
	b = d.Event.Time.UTC().AppendFormat(b, timeForm)
	b = append(b, `","account":`...)
	b = appendString(b, d.Event.Tenant.Account)
	b = append(b, `,"region":`...)
	b = appendString(b, d.Event.Tenant.Region)
	b = append(b, `,"configurationSet":`...)
	b = appendString(b, d.Set)
	b = append(b, `,"eventDestination":`...)
	b = appendString(b, d.Destination)
	b = append(b, `,"target":`...)
	b = append(b, s.target...)
	b = append(b, `,"data":`...)
	b = append(b, d.Event.Record...)
	return append(b, '}')
}

// failures collects what failed of a batch.
type failures struct {
	each map[int]error
	last error
	adds int
}

// add says that the deliveries with these indexes failed.
func (f *failures) add(err error, indexes ...int) {
	if f.each == nil {
		f.each = make(map[int]error, len(indexes))
	}
	f.last = err
	f.adds++
	for _, i := range indexes {
		f.each[i] = err
	}
}

// of returns the error of Deliver for a batch of n.
func (f *failures) of(n int) error {
	switch {
	case len(f.each) == 0:
		return nil
	case len(f.each) == n && f.adds == 1:
		return f.last
	}
	return &sink.PartialError{Failed: f.each}
}
