package awssink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"tidings/internal/sink"
)

// The bounds of a request. Source: Amazon SNS API Reference, "PublishBatch" and "Publish".
const (
	topicCount = 10
	topicBytes = 256 << 10 // of all messages together, and of one
)

// topicForm is the name of a topic.
// Source: Amazon SNS API Reference, "CreateTopic", Name.
var topicForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,251}([A-Za-z0-9_-]{0,5}|\.fifo)$`)

// topic publishes each record as the message of a notification, with the subject that the event's
// service gives it. On a FIFO topic the events of one message are one group, and repeats are recognized.
type topic struct {
	caller *caller
	client *sns.Client
	arn    string
	fifo   bool
}

func openTopic(d *Driver, t sink.Target) sink.Sink {
	signer := d.signer(t)
	return &topic{
		caller: d.caller("sns", signer, badMessage),
		client: sns.NewFromConfig(d.config(signer, t.ARN.Region)),
		arn:    t.ARN.String(),
		fifo:   strings.HasSuffix(t.ARN.Resource, ".fifo"),
	}
}

// Limits bounds a batch.
func (*topic) Limits() sink.Limits { return sink.Limits{Count: topicCount, Bytes: topicBytes} }

// Close has nothing to release.
func (*topic) Close() error { return nil }

// Deliver publishes the batch with one request.
func (t *topic) Deliver(ctx context.Context, batch []sink.Delivery) error {
	result := &tally{size: len(batch)}
	var good []int
	for i := range batch {
		if err := checkText(batch[i].Event.Record, topicBytes); err != nil {
			result.refuse(i, &batch[i], err)
			continue
		}
		good = append(good, i)
	}
	switch len(good) {
	case 0:
	case 1:
		if err := t.publish(ctx, &batch[good[0]]); err != nil {
			result.request(good, err)
		}
	default:
		t.publishBatch(ctx, batch, good, result)
	}
	return result.error()
}

func (t *topic) publish(ctx context.Context, d *sink.Delivery) error {
	n := sink.NotificationOf(&d.Event)
	in := &sns.PublishInput{TopicArn: &t.arn, Message: &n.Message}
	if n.Subject != "" {
		in.Subject = &n.Subject
	}
	if t.fifo {
		in.MessageGroupId, in.MessageDeduplicationId = new(groupID(d)), new(deduplicationID(d))
	}
	_, err := attempt(ctx, t.caller, "Publish", func(ctx context.Context) (*sns.PublishOutput, error) {
		out, err := t.client.Publish(ctx, in)
		if err == nil && aws.ToString(out.MessageId) == "" {
			err = errNoAnswer
		}
		return out, err
	})
	return err
}

func (t *topic) publishBatch(ctx context.Context, batch []sink.Delivery, good []int, result *tally) {
	in := &sns.PublishBatchInput{TopicArn: &t.arn}
	for _, i := range good {
		n := sink.NotificationOf(&batch[i].Event)
		e := types.PublishBatchRequestEntry{Id: new(strconv.Itoa(i)), Message: &n.Message}
		if n.Subject != "" {
			e.Subject = &n.Subject
		}
		if t.fifo {
			e.MessageGroupId, e.MessageDeduplicationId = new(groupID(&batch[i])), new(deduplicationID(&batch[i]))
		}
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, e)
	}
	out, err := attempt(ctx, t.caller, "PublishBatch", func(ctx context.Context) (*sns.PublishBatchOutput, error) {
		out, err := t.client.PublishBatch(ctx, in)
		if err == nil && len(out.Successful)+len(out.Failed) == 0 {
			err = errNoAnswer
		}
		return out, err
	})
	if err != nil {
		result.request(good, err)
		return
	}
	published := map[string]bool{}
	for _, e := range out.Successful {
		published[aws.ToString(e.Id)] = true
	}
	for _, i := range good {
		id := strconv.Itoa(i)
		at := slices.IndexFunc(out.Failed, func(e types.BatchResultErrorEntry) bool { return aws.ToString(e.Id) == id })
		switch {
		case at >= 0:
			result.fail(i, entryError(&out.Failed[at]))
		case !published[id]:
			result.fail(i, errors.New("sns PublishBatch: the answer does not tell what became of the message"))
		}
	}
}

// entryError is the failure of one entry of a batch. SenderFault alone does not make it
// permanent: it is also set when the topic is missing or forbids access.
func entryError(e *types.BatchResultErrorEntry) error {
	code, text := shorten(aws.ToString(e.Code)), shorten(aws.ToString(e.Message))
	err := fmt.Errorf("sns PublishBatch: %s: %s", code, text)
	if e.SenderFault && badMessage(code, text) {
		return sink.Permanent(err)
	}
	return err
}

// badText matches what SNS says of messages that it will never take, after "Invalid
// parameter: ": "Message too long", "Empty message", "Message Reason: …".
var badText = regexp.MustCompile(`(?i)^(Invalid parameter: *)?(Message\b|Empty message|.*\bmessage (is )?too (long|large))`)

// badMessage reports whether SNS says that a message is malformed or too large; it says
// the same code of a topic of another region.
// Source: Amazon SNS API Reference, "Publish" and "PublishBatch", Errors.
func badMessage(code, text string) bool {
	switch code {
	case "BatchRequestTooLong", "TooManyEntriesInBatchRequest":
		return true // one by one they may go
	case "InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError":
		return badText.MatchString(text)
	}
	return false
}

// groupID keeps the events of a message in order. Longer IDs than SNS takes are hashed.
// Source: Amazon SNS API Reference, "Publish", MessageGroupId.
func groupID(d *sink.Delivery) string {
	if id := d.Event.Message; groupIDForm.MatchString(id) {
		return id
	}
	return hash(d.Event.Message)
}

var groupIDForm = regexp.MustCompile(`^[!-~]{1,128}$`)

// deduplicationID is the same for every repeat of a delivery.
// Source: Amazon SNS API Reference, "Publish", MessageDeduplicationId.
func deduplicationID(d *sink.Delivery) string { return hash(d.ID) }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
