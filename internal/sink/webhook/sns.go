package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"tidings/internal/sink"
)

// maxMessage bounds the records of a batch, which is one record. One that is larger travels
// all the same; SNS itself would not take it.
// Source: Amazon SNS API Reference, Publish.
const maxMessage = 256 << 10

// How long an endpoint that has not confirmed is left alone, and how long saying farewell
// may take.
const (
	confirmPause    = 2 * time.Second
	farewellTimeout = 10 * time.Second
)

// snsSink posts events as SNS posts notifications to an HTTP subscription.
type snsSink struct {
	*poster
	topics *Topics
	sub    *subscription
	topic  string // ARN
	arn    string // of the subscription
	closed atomic.Bool
}

func newSNSSink(p *poster, t sink.Target) *snsSink {
	topic := t.ARN.String()
	sub := p.driver.topics.subscribe(topic, p.template.URL.String())
	s := &snsSink{poster: p, topics: p.driver.topics, sub: sub, topic: topic, arn: subscriptionARN(topic, sub.id)}
	sub.join(s)
	return s
}

// Limits bounds a batch: SNS sends one notification in a request.
func (*snsSink) Limits() sink.Limits { return sink.Limits{Count: 1, Bytes: maxMessage} }

// Close lets go of the subscription, and of the connections if nobody else needs them.
func (s *snsSink) Close() error {
	if !s.closed.Swap(true) {
		s.sub.part(s)
		s.topics.release(s.sub)
		s.driver.leave()
	}
	return nil
}

// Deliver posts each record as a notification. The first to an endpoint asks it to confirm
// its subscription, and until it has, all fail in a way that passes.
func (s *snsSink) Deliver(ctx context.Context, batch []sink.Delivery) error {
	if s.closed.Load() {
		return errClosed
	}
	var f failures
	for i := range batch {
		if err := s.deliver(ctx, &batch[i]); err != nil {
			f.add(err, i)
		}
	}
	return f.of(len(batch))
}

func (s *snsSink) deliver(ctx context.Context, d *sink.Delivery) error {
	if len(d.Event.Record) == 0 || !utf8.Valid(d.Event.Record) {
		return sink.Permanent(errors.New("the record is empty or no UTF-8, and cannot be the Message of a notification"))
	}
	if err := s.subscribed(ctx); err != nil {
		return err
	}
	n := sink.NotificationOf(&d.Event)
	return s.send(ctx, &message{
		kind: typeNotification, id: formatUUID(nameUUID("delivery\x00" + d.ID)),
		topic: s.topic, subscription: s.arn, subject: n.Subject, text: n.Message, at: d.Event.Time,
	})
}

// send signs a message and posts it.
func (s *snsSink) send(ctx context.Context, m *message) error {
	body, err := s.topics.seal(ctx, m)
	if err != nil {
		return err
	}
	err = s.post(ctx, m.header(s.driver.header), body)
	if isTooLarge(err) {
		return sink.Permanent(err) // it will not get smaller
	}
	return err
}

// subscribed returns nil if notifications may be sent.
func (s *snsSink) subscribed(ctx context.Context) error {
	now, err := s.sub.standing(ctx)
	if err != nil {
		return err
	}
	if now.State == stateConfirmed || now.State == statePending && s.driver.unconfirmed {
		return nil
	}
	select {
	case s.sub.turn <- struct{}{}:
		defer func() { <-s.sub.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if now, err = s.sub.standing(ctx); err != nil {
		return err
	}
	switch now.State {
	case stateConfirmed:
		return nil
	case stateUnsubscribed:
		return s.unsubscribed(ctx, now)
	case statePending:
	}
	return s.ask(ctx)
}

// ask asks the endpoint to confirm its subscription. It returns nil if that happens within
// the request. The caller has the turn.
func (s *snsSink) ask(ctx context.Context) error {
	waiting := sink.RetryAfter(fmt.Errorf("waiting for %s to confirm its subscription by visiting SubscribeURL", s.host()), confirmPause)
	if since := s.topics.now().Sub(s.sub.asked); since >= 0 && since < askEvery {
		return waiting
	}
	token, err := s.sub.token(ctx)
	if err != nil {
		return err
	}
	err = s.send(ctx, &message{
		kind: typeConfirmation, id: formatUUID(nameUUID("token\x00" + token)), topic: s.topic, token: token, at: s.topics.now(),
		text: "You have chosen to subscribe to the topic " + s.topic + ".\nTo confirm the subscription, visit the SubscribeURL included in this message.",
	})
	if err != nil {
		return fmt.Errorf("ask for a confirmation of the subscription: %w", err)
	}
	s.sub.asked = s.topics.now()
	now, err := s.sub.standing(ctx)
	if err != nil {
		return err
	}
	if now.State != stateConfirmed {
		return waiting
	}
	return nil
}

// unsubscribed says farewell if that is owed. The caller has the turn.
func (s *snsSink) unsubscribed(ctx context.Context, now standing) error {
	if now.Farewell {
		if err := s.farewell(ctx, now.Token); err != nil {
			s.driver.log.Warn("endpoint was not told that it is unsubscribed", "host", s.host(), "topic", s.topic, "error", err)
		}
	}
	return sink.Permanent(fmt.Errorf("%s has unsubscribed from %s; it can subscribe again by visiting the SubscribeURL of the UnsubscribeConfirmation", s.host(), s.topic))
}

// farewell posts the UnsubscribeConfirmation. The caller has the turn.
func (s *snsSink) farewell(ctx context.Context, token string) error {
	err := s.send(ctx, &message{
		kind: typeUnsubscribed, id: formatUUID(nameUUID("token\x00" + token)), topic: s.topic, subscription: s.arn, token: token, at: s.topics.now(),
		text: "You have chosen to deactivate subscription " + s.arn + ".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message.",
	})
	if err != nil {
		return err
	}
	return s.sub.parted(ctx, token)
}

// farewellSoon says farewell when nobody else is at it.
func (s *snsSink) farewellSoon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewellTimeout)
	defer cancel()
	select {
	case s.sub.turn <- struct{}{}:
		defer func() { <-s.sub.turn }()
	case <-ctx.Done():
		return
	}
	now, err := s.sub.standing(ctx)
	if err == nil && now.State == stateUnsubscribed && now.Farewell {
		err = s.farewell(ctx, now.Token)
	}
	if err != nil {
		s.driver.log.Warn("endpoint was not told that it is unsubscribed; the next delivery tries again", "host", s.host(), "topic", s.topic, "error", err)
	}
}
