package natssink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/sink"
)

// The bounds of a batch. They bound how much is tried again when a connection breaks.
const (
	maxCount = 1_000
	maxBytes = 4 << 20
)

// subject delivers to one subject.
type subject struct {
	driver *Driver
	name   string
	once   sync.Once
}

// Limits bounds a batch.
func (*subject) Limits() sink.Limits { return sink.Limits{Count: maxCount, Bytes: maxBytes} }

// Close leaves the connection to the other subjects.
func (s *subject) Close() error {
	s.once.Do(s.driver.leave)
	return nil
}

// Deliver publishes the batch, and waits for the server's word on every message; without a
// stream for its word on all of them.
func (s *subject) Deliver(ctx context.Context, batch []sink.Delivery) error {
	if err := ctx.Err(); err != nil {
		return s.explain(err)
	}
	c, err := s.driver.use(ctx)
	if err != nil {
		return s.explain(err)
	}
	defer c.leave()
	c.hold()
	p := &publication{subject: s.name, c: c, batch: batch, acks: make([]jetstream.PubAckFuture, len(batch)), errs: make([]error, len(batch))}
	published := make(chan error, 1)
	s.driver.background.Go(func() { // a write may hang for longer than ctx lasts
		defer c.leave()
		published <- p.publish(ctx)
	})
	select {
	case err = <-published:
	case <-ctx.Done():
		return s.explain(ctx.Err()) // what was published by now is not known, as p is not ours yet
	}
	if err != nil {
		return s.explain(err)
	}
	if c.js != nil {
		p.wait(ctx)
	}
	return s.result(p.errs)
}

// result says to the courier what became of the batch.
func (s *subject) result(errs []error) error {
	failed := map[int]error{}
	permanent := false
	for i, err := range errs {
		if err != nil {
			failed[i] = s.judge(err)
			permanent = permanent || errors.Is(failed[i], sink.ErrPermanent)
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) == len(errs) && (len(errs) == 1 || !permanent):
		return failed[0]
	}
	return &sink.PartialError{Failed: failed}
}

// The errors of JetStream that concern the message alone.
// Source: nats-server, server/errors.json, JSStreamMessageExceedsMaximumErr and
// JSStreamHeaderExceedsMaximumErr.
const (
	messageTooLarge jetstream.ErrorCode = 10054
	headerTooLarge  jetstream.ErrorCode = 10097
)

// judge tells failures for good from others.
func (s *subject) judge(err error) error {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	if errors.Is(err, errEmpty) || errors.Is(err, nats.ErrMaxPayload) ||
		ok && (refused.ErrorCode == messageTooLarge || refused.ErrorCode == headerTooLarge) {
		return sink.Permanent(s.explain(err))
	}
	return s.explain(err)
}

// explain puts a failure into few words.
func (s *subject) explain(err error) error {
	const most = 300
	if errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("nats subject %s: no stream stores it: create one that does, or set stream: false", s.name)
	}
	if text := err.Error(); len(text) > most {
		err = errors.New(strings.ToValidUTF8(text[:most], "") + "…")
	}
	return fmt.Errorf("nats subject %s: %w", s.name, err)
}

// publication is a batch on its way.
type publication struct {
	subject string
	c       *connection
	batch   []sink.Delivery
	acks    []jetstream.PubAckFuture // nil = not published
	errs    []error
}

var (
	errEmpty  = errors.New("the record is empty")
	errBroken = errors.New("the connection broke")
)

// publish hands the batch to the connection, as long as ctx lasts. Without a stream it also
// waits until the server has it all.
func (p *publication) publish(ctx context.Context) error {
	for i := range p.batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.errs[i] = p.publishOne(i)
	}
	if p.c.js != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout) // it insists on a deadline
	defer cancel()
	if err := p.c.conn.FlushWithContext(ctx); err != nil {
		return err
	}
	// The server complains before it answers the flush; the handler may not have heard yet.
	if err := p.c.conn.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		p.c.retire() // it says so of every later flush as well
		return err
	}
	return nil
}

func (p *publication) publishOne(i int) error {
	d := &p.batch[i]
	if len(bytes.TrimSpace(d.Event.Record)) == 0 {
		return errEmpty
	}
	m := &nats.Msg{Subject: p.subject, Data: d.Event.Record, Header: nats.Header{
		"Tidings-Id":      {d.ID},
		"Tidings-Type":    {string(d.Event.Type)},
		"Tidings-Account": {d.Event.Tenant.Account},
		"Tidings-Region":  {d.Event.Tenant.Region},
	}}
	if p.c.js == nil {
		return p.c.conn.PublishMsg(m)
	}
	// No attempts of its own: they would go on after Deliver.
	ack, err := p.c.js.PublishMsgAsync(m, jetstream.WithMsgID(d.ID), jetstream.WithRetryAttempts(0))
	p.acks[i] = ack
	return err
}

// wait waits for the acknowledgements.
func (p *publication) wait(ctx context.Context) {
	for i, ack := range p.acks {
		if ack != nil && p.errs[i] == nil {
			p.errs[i] = p.waitOne(ctx, ack)
		}
	}
}

func (p *publication) waitOne(ctx context.Context, ack jetstream.PubAckFuture) error {
	changed, refused := p.c.refusal(p.subject)
	for {
		select { // what is known counts, whatever else has happened
		case <-ack.Ok():
			return nil
		case err := <-ack.Err():
			return err
		default:
		}
		if refused != nil {
			return refused
		}
		select {
		case <-ack.Ok():
			return nil
		case err := <-ack.Err():
			return err
		case <-changed:
			changed, refused = p.c.refusal(p.subject)
		case <-p.c.gone:
			return errBroken
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
