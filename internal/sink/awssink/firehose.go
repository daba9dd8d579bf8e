package awssink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"tidings/internal/sink"
)

// The bounds of a request. Source: Amazon Data Firehose API Reference, "PutRecordBatch".
const (
	streamCount  = 500
	streamBytes  = 4<<20 - streamCount // less a newline behind each record
	streamRecord = 1_000 << 10         // before base64, with the newline
)

// streamForm is the resource of a delivery stream.
// Source: Amazon Data Firehose API Reference, "CreateDeliveryStream", DeliveryStreamName.
var streamForm = regexp.MustCompile(`^deliverystream/[a-zA-Z0-9_.-]{1,64}$`)

// stream puts each event into a record of its own: compact JSON and a newline. Firehose
// puts nothing between records, so without one the objects in a bucket would be glued
// together. AWS says nothing of voice events; this is what it documents for its other
// channel. Source: SES Developer Guide, "Contents of event data that Amazon SES publishes
// to Firehose".
type stream struct {
	caller *caller
	client *firehose.Client
	name   string
}

func openStream(d *Driver, t sink.Target) sink.Sink {
	signer := d.signer(t)
	return &stream{
		caller: d.caller("firehose", signer, badRecord),
		client: firehose.NewFromConfig(d.config(signer, t.ARN.Region)),
		name:   strings.TrimPrefix(t.ARN.Resource, "deliverystream/"),
	}
}

// Limits bounds a batch.
func (*stream) Limits() sink.Limits { return sink.Limits{Count: streamCount, Bytes: streamBytes} }

// Close has nothing to release.
func (*stream) Close() error { return nil }

// Deliver puts the batch with one request.
func (s *stream) Deliver(ctx context.Context, batch []sink.Delivery) error {
	result := &tally{size: len(batch)}
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &s.name}
	var good []int
	for i := range batch {
		line, err := toLine(batch[i].Event.Record)
		if err != nil {
			result.refuse(i, &batch[i], err)
			continue
		}
		good = append(good, i)
		in.Records = append(in.Records, types.Record{Data: line})
	}
	if len(good) > 0 {
		s.put(ctx, in, good, result)
	}
	return result.error()
}

func (s *stream) put(ctx context.Context, in *firehose.PutRecordBatchInput, good []int, result *tally) {
	out, err := attempt(ctx, s.caller, "PutRecordBatch", func(ctx context.Context) (*firehose.PutRecordBatchOutput, error) {
		out, err := s.client.PutRecordBatch(ctx, in)
		if err == nil {
			err = checkResponses(out, len(good))
		}
		return out, err
	})
	if err != nil {
		result.request(good, err)
		return
	}
	for n, r := range out.RequestResponses { // in the order of the records
		if r.ErrorCode == nil {
			continue
		}
		code, text := shorten(*r.ErrorCode), shorten(aws.ToString(r.ErrorMessage))
		err := fmt.Errorf("firehose PutRecordBatch: %s: %s", code, text)
		if badRecord(code, text) {
			err = sink.Permanent(err)
		}
		result.fail(good[n], err)
	}
}

// checkResponses reports whether an answer can be an answer to n records. If it can not,
// nobody knows what it says of which.
func checkResponses(out *firehose.PutRecordBatchOutput, n int) error {
	if len(out.RequestResponses) != n {
		return fmt.Errorf("the answer tells of %d records, %d were put", len(out.RequestResponses), n)
	}
	refused := 0
	for _, r := range out.RequestResponses {
		switch {
		case r.ErrorCode != nil:
			refused++
		case aws.ToString(r.RecordId) == "":
			return errors.New("the answer gives a record neither an ID nor an error")
		}
	}
	if said := out.FailedPutCount; said != nil && int(*said) != refused {
		return fmt.Errorf("the answer counts %d failed records and tells of %d", *said, refused)
	}
	return nil
}

// toLine returns the record on one line, and the end of it.
func toLine(record []byte) ([]byte, error) {
	if len(bytes.TrimSpace(record)) == 0 {
		return nil, errEmpty
	}
	line := make([]byte, 0, len(record)+1)
	if bytes.ContainsAny(record, "\n\r") {
		b := bytes.NewBuffer(line)
		if err := json.Compact(b, record); err != nil {
			return nil, fmt.Errorf("the record is no JSON: %w", err)
		}
		line = b.Bytes()
	} else {
		line = append(line, record...)
	}
	if line = append(line, '\n'); len(line) > streamRecord {
		return nil, fmt.Errorf("the record has %d bytes, at most %d can be sent", len(line), streamRecord)
	}
	return line, nil
}

// badRecordText matches what Firehose says of records that it will never take: "Records
// size exceeds 4 MB limit", "Value at 'records.1.member.data' failed to satisfy constraint".
var badRecordText = regexp.MustCompile(`(?i)\brecords?\b.*\b(size|too (large|long|big)|exceeds?|data)\b`)

// badRecord reports whether Firehose says that a record is malformed or too large; it says
// the same code of a stream that takes no records by this way.
// Source: Amazon Data Firehose API Reference, "PutRecordBatch", Errors.
func badRecord(code, text string) bool {
	switch code {
	case "InvalidArgumentException", "ValidationException", "SerializationException":
		return badRecordText.MatchString(text)
	}
	return false
}
