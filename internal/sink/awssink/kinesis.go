package awssink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"tidings/internal/event"
	"tidings/internal/sink"
)

// The bounds of a request. Source: Amazon Kinesis Data Streams API Reference, "PutRecords",
// and Developer Guide, "Quotas and limits". A request may have 10 MiB today; 5 MiB, as it
// was before, is what every region and emulator takes.
const (
	dataCount  = 500
	dataKey    = 256                        // characters
	dataBytes  = 5<<20 - dataCount*keyBytes // less the keys
	dataRecord = 10 << 20                   // with the key; a stream may be set to less, and is by default: 1 MiB
	keyBytes   = 4 * dataKey                // what a key can take in UTF-8
)

// dataStreamForm is the resource of a data stream.
// Source: Amazon Kinesis Data Streams API Reference, "CreateStream", StreamName.
var dataStreamForm = regexp.MustCompile(`^stream/[a-zA-Z0-9_.-]{1,128}$`)

// dataStream puts each event into a record of its own, as it is: a record of Kinesis has
// an end, so there is no newline behind it. Events with the same key go to the same shard.
//
// Kinesis goes on behind a record that it could not put. What is put again later stands
// behind its successors, as its API Reference says.
type dataStream struct {
	caller *caller
	client *kinesis.Client
	arn    string // which also reaches streams that other accounts share with the signer
}

func openDataStream(d *Driver, t sink.Target) sink.Sink {
	signer := d.signer(t)
	return &dataStream{
		caller: d.caller("kinesis", signer, badRecord),
		client: kinesis.NewFromConfig(d.config(signer, t.ARN.Region)),
		arn:    t.ARN.String(),
	}
}

// Limits bounds a batch.
func (*dataStream) Limits() sink.Limits { return sink.Limits{Count: dataCount, Bytes: dataBytes} }

// Close has nothing to release.
func (*dataStream) Close() error { return nil }

// Deliver puts the batch with one request.
func (s *dataStream) Deliver(ctx context.Context, batch []sink.Delivery) error {
	result := &tally{size: len(batch)}
	in := &kinesis.PutRecordsInput{StreamARN: &s.arn}
	var good []int
	for i := range batch {
		e := &batch[i].Event
		key := partitionKey(e)
		if err := checkData(e.Record, key); err != nil {
			result.refuse(i, &batch[i], err)
			continue
		}
		good = append(good, i)
		in.Records = append(in.Records, types.PutRecordsRequestEntry{Data: e.Record, PartitionKey: &key})
	}
	if len(good) > 0 {
		s.put(ctx, in, good, result)
	}
	return result.error()
}

func (s *dataStream) put(ctx context.Context, in *kinesis.PutRecordsInput, good []int, result *tally) {
	out, err := attempt(ctx, s.caller, "PutRecords", func(ctx context.Context) (*kinesis.PutRecordsOutput, error) {
		out, err := s.client.PutRecords(ctx, in)
		if err == nil {
			err = checkPuts(out, len(good))
		}
		return out, err
	})
	if err != nil {
		result.request(good, err)
		return
	}
	for n, r := range out.Records { // in the order of the request
		if r.ErrorCode == nil {
			continue
		}
		code, text := shorten(*r.ErrorCode), shorten(aws.ToString(r.ErrorMessage))
		err := fmt.Errorf("kinesis PutRecords: %s: %s", code, text)
		if badRecord(code, text) {
			err = sink.Permanent(err)
		}
		result.fail(good[n], err)
	}
}

// checkPuts reports whether an answer can be an answer to n records. If it can not, nobody
// knows what it says of which.
func checkPuts(out *kinesis.PutRecordsOutput, n int) error {
	if len(out.Records) != n {
		return fmt.Errorf("the answer tells of %d records, %d were put", len(out.Records), n)
	}
	refused := 0
	for _, r := range out.Records {
		switch {
		case r.ErrorCode != nil:
			refused++
		case aws.ToString(r.SequenceNumber) == "":
			return errors.New("the answer gives a record neither a sequence number nor an error")
		}
	}
	if said := out.FailedRecordCount; said != nil && int(*said) != refused {
		return fmt.Errorf("the answer counts %d failed records and tells of %d", *said, refused)
	}
	return nil
}

// checkData reports whether a record can be put with the key.
func checkData(record []byte, key string) error {
	if len(bytes.TrimSpace(record)) == 0 {
		return errEmpty
	}
	if n := len(record) + len(key); n > dataRecord {
		return fmt.Errorf("the record has %d bytes with its key, at most %d can be sent", n, dataRecord)
	}
	return nil
}

// partitionKey returns the key that decides on the shard. One that is too long, or no
// text, is put as its hash, which keeps the order just as well.
// Source: Amazon Kinesis Data Streams API Reference, "PutRecordsRequestEntry", PartitionKey.
func partitionKey(e *event.Event) string {
	key := e.Partition()
	if key == "" {
		key = e.ID
	}
	if len(key) > dataKey && utf8.RuneCountInString(key) > dataKey || !utf8.ValidString(key) {
		hash := sha256.Sum256([]byte(key))
		return hex.EncodeToString(hash[:])
	}
	return key
}
