package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidings/internal/event"
	"tidings/internal/sink"
)

// The bounds of a batch. They bound how much is tried again when a broker fails; the client
// cuts requests by itself.
const (
	maxCount = 1_000
	maxBytes = 4 << 20
)

// topic delivers to one topic.
type topic struct {
	driver *Driver
	name   string
	once   sync.Once
}

// Limits bounds a batch.
func (*topic) Limits() sink.Limits { return sink.Limits{Count: maxCount, Bytes: maxBytes} }

// Close leaves the client to the other topics.
func (t *topic) Close() error {
	t.once.Do(t.driver.leave)
	return nil
}

// Deliver produces the batch and waits for the broker's word on every record.
func (t *topic) Deliver(ctx context.Context, batch []sink.Delivery) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := t.driver.use()
	if err != nil {
		return err
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp() // what is still in the client is dropped
	failed := map[int]error{}
	var good []int
	for i := range batch {
		if err := check(&batch[i]); err != nil {
			failed[i] = sink.Permanent(fmt.Errorf("event %s: %w", batch[i].Event.ID, err))
			continue
		}
		good = append(good, i)
	}
	suspects := []int{}
	for i, err := range t.produce(ctx, c, batch, good) {
		failed[i] = err
		if isOfRecord(err) {
			suspects = append(suspects, i)
		}
	}
	if len(suspects) > 0 {
		slices.Sort(suspects)
		t.singly(ctx, batch, suspects, failed)
	}
	return t.result(ctx, c, len(batch), failed)
}

var errEmpty = errors.New("the record is empty") // which would delete others in a compacted topic

// check finds what no broker is asked about.
func check(d *sink.Delivery) error {
	if len(bytes.TrimSpace(d.Event.Record)) == 0 {
		return errEmpty
	}
	if n := len(d.Event.Record) + len(key(&d.Event)) + len(d.ID); n > maxBatch {
		return fmt.Errorf("the record has %d bytes with its key and headers, at most %d can be sent", n, maxBatch)
	}
	return nil
}

// isOfRecord reports whether a broker, or the client, finds fault with a record. A broker
// says so of a batch of records, and the client then of all that waits in the partition.
func isOfRecord(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) || errors.Is(err, kerr.InvalidRecord)
}

// singly produces records one after the other, to tell those that are to blame from their
// neighbours: with a client that nobody else uses, so that no batch holds two.
func (t *topic) singly(ctx context.Context, batch []sink.Delivery, suspects []int, failed map[int]error) {
	select {
	case t.driver.lonely <- struct{}{}:
		defer func() { <-t.driver.lonely }()
	case <-ctx.Done():
		return
	}
	inner, err := kgo.NewClient(t.driver.options...)
	if err != nil { // cannot be: the other one was made of the same
		return
	}
	c := &client{Client: inner}
	defer c.close()
	for _, i := range suspects {
		err := t.produce(ctx, c, batch, []int{i})[i]
		switch {
		case err == nil:
			delete(failed, i)
			continue
		case isOfRecord(err):
			err = sink.Permanent(c.explain(ctx, t.name, err))
		}
		if failed[i] = err; ctx.Err() != nil {
			return
		}
	}
}

// maxRounds bounds how often records are produced again that were dropped with others.
const maxRounds = 5

// produce produces these records of the batch, and returns what failed by index. When the
// client drops what a delivery has given up, it drops all that waits in the same partition;
// what is ours and not given up is produced again.
func (t *topic) produce(ctx context.Context, c *client, batch []sink.Delivery, indices []int) map[int]error {
	failed := map[int]error{}
	for range maxRounds {
		wrong := t.round(ctx, c, batch, indices)
		var dropped []int
		for _, i := range indices { // in order
			err := wrong[i]
			if delete(failed, i); err != nil {
				failed[i] = err
			}
			if isDropped(err) && ctx.Err() == nil {
				dropped = append(dropped, i)
			}
		}
		if indices = dropped; len(indices) == 0 {
			break
		}
	}
	return failed
}

// round produces these records once.
func (t *topic) round(ctx context.Context, c *client, batch []sink.Delivery, indices []int) map[int]error {
	a := &attempt{left: len(indices), done: make([]bool, len(batch)), failed: map[int]error{}, all: make(chan struct{})}
	for _, i := range indices {
		c.TryProduce(ctx, t.record(&batch[i]), func(_ *kgo.Record, err error) { a.finish(i, err) })
	}
	if len(indices) == 0 {
		return nil
	}
	select {
	case <-a.all:
	case <-ctx.Done():
	}
	return a.failures(ctx, indices)
}

// record makes the record of a delivery. Its time is that of the delivery, since brokers
// delete by it.
func (t *topic) record(d *sink.Delivery) *kgo.Record {
	return &kgo.Record{
		Topic: t.name, Key: key(&d.Event), Value: d.Event.Record,
		Headers: []kgo.RecordHeader{
			{Key: "tidings-id", Value: []byte(d.ID)},
			{Key: "tidings-type", Value: []byte(d.Event.Type)},
			{Key: "tidings-account", Value: []byte(d.Event.Tenant.Account)},
			{Key: "tidings-region", Value: []byte(d.Event.Tenant.Region)},
		},
	}
}

// key decides on the partition. It is never empty: records without a key go anywhere, and
// compacted topics do not take them.
func key(e *event.Event) []byte {
	if k := e.Partition(); k != "" {
		return []byte(k)
	}
	return []byte(e.ID)
}

// result says to the courier what became of a batch of n.
func (t *topic) result(ctx context.Context, c *client, n int, failed map[int]error) error {
	if len(failed) == 0 {
		return nil
	}
	spent := false
	for i, err := range failed {
		spent = spent || isSpent(err)
		if !errors.Is(err, sink.ErrPermanent) {
			failed[i] = c.explain(ctx, t.name, err)
		}
	}
	if spent {
		t.driver.forget(c)
	}
	if len(failed) < n {
		return &sink.PartialError{Failed: failed}
	}
	return whole(failed)
}

// whole returns one error for a batch that failed as a whole: the worst if that is one for
// all, so that a batch in which only some failed for good is not given up.
func whole(failed map[int]error) error {
	var some error
	permanent := 0
	for _, err := range failed {
		if errors.Is(err, sink.ErrPermanent) {
			permanent++
		}
		some = err
	}
	if permanent > 0 && len(failed) > 1 {
		return &sink.PartialError{Failed: failed}
	}
	return some
}

// attempt gathers what becomes of records that were produced together.
type attempt struct {
	mu     sync.Mutex
	left   int
	done   []bool
	failed map[int]error
	all    chan struct{} // closed when nothing is left
}

// finish is called by the client, which must not be kept waiting, once for each record;
// also when nobody waits for it any more.
func (a *attempt) finish(i int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done[i] = true
	if err != nil {
		a.failed[i] = err
	}
	if a.left--; a.left == 0 {
		close(a.all)
	}
}

// failures returns what has failed, and what is not known when ctx has ended.
func (a *attempt) failures(ctx context.Context, indices []int) map[int]error {
	a.mu.Lock()
	defer a.mu.Unlock()
	failed := map[int]error{}
	for _, i := range indices {
		if err := a.failed[i]; err != nil {
			failed[i] = err
		} else if !a.done[i] {
			failed[i] = ctx.Err()
		}
	}
	return failed
}
